/* SPDX-License-Identifier: MIT */
/*
 * Layers in a storage of containers/storage: the directory "diff", with a file "link" beside it, in a
 * directory of the storage's home. Beside the links are the markers of this program. The engine removes
 * them together with the layer.
 */
#ifndef IDM_CLI_OVERLAYFS_STORAGE_H
#define IDM_CLI_OVERLAYFS_STORAGE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the absolute path, without symbolic links, is that of a layer. Sets the length of its home. */
bool is_layer_path(const char *path, size_t *home);

/*
 * Converts the whiteouts of a directory if it is a layer, and was not converted before: see
 * whiteouts.h. An upper directory is converted before its first mount only: later its files are the
 * container's own, whatever their names are. Returns DONE, or reports and returns FAILED.
 */
int convert_layer(const char *path, bool upper);

/* Converts all layers of a storage: its root, such as ~/.local/share/containers/storage. As above. */
int convert_storage(const char *path);

#endif
