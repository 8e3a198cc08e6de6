/* SPDX-License-Identifier: MIT */
/* Packets with descriptors, for code with and without libc. */
#ifndef IDM_SYS_RAW_MESSAGE_H
#define IDM_SYS_RAW_MESSAGE_H

#include <stddef.h>
#include <sys/types.h>

#define IDM_SEND_FDS 253 /* the most that the kernel passes at once */

/*
 * Where the kernel is short of memory for a moment, both wait: a packet that is lost or left over would
 * be taken for another one's. Receiving returns the packet's size; *n_fds may be less than was sent, if
 * this process has no more numbers. 0: the other side has gone.
 */
ssize_t idm_raw_send(int fd, const void *buf, size_t size, const int *fds, size_t n_fds);
ssize_t idm_raw_receive(int fd, void *buf, size_t size, int fds[IDM_SEND_FDS], size_t *n_fds);

#endif
