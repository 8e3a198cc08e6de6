/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_OVERLAYFS_WHITEOUTS_H
#define IDM_CLI_OVERLAYFS_WHITEOUTS_H

#include <stdbool.h>

/*
 * Converts whiteouts of AUFS to those of the kernel's overlay, in a directory and all directories below
 * it. containers/storage unpacks layers with the former as soon as storage.conf has a mount_program:
 *
 *   .wh.NAME       NAME of lower layers is deleted    a character device 0:0 as NAME
 *   .wh..wh..opq   all names of lower layers are      user.overlay.opaque of the directory
 *   .wh..wh.*      AUFS's own files                   none
 *
 * It creates the kernel's form first, and removes AUFS's second. So it can be cut at any point, and
 * repeated. Every file is reached by descriptors and single names, and no symbolic link is followed. A
 * converted directory keeps its times.
 *
 * Returns DONE, or reports and returns FAILED. `layer` is for messages.
 */
int convert_whiteouts(int directory_fd, const char *layer);

/* Changes nothing. Returns DONE, or for a whiteout of AUFS reports it and returns FAILED. */
int expect_no_whiteouts(int directory_fd, const char *layer);

/* Whether the directory hides all names of lower layers. */
bool is_opaque(const char *directory);

#endif
