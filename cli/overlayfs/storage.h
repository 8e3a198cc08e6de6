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
#include <sys/stat.h>

/* The directory with all layers of a storage. */
struct storage_home {
	bool is_known;
	struct stat st;
};

/*
 * Finds the storage that a mount is for: containers/storage mounts layers at HOME/ID/merged. The engine
 * mounts an overlay over a volume elsewhere, and the home is unknown then.
 */
void find_storage_home(const char *target, struct storage_home *home);

/* Whether the absolute path, without symbolic links, is that of a layer. Sets the length of its home. */
bool is_layer_path(const char *path, size_t *home);

/*
 * Converts the whiteouts of a directory if it is a layer of this home, and was not converted before: see
 * whiteouts.h. An upper directory is converted before its first mount only: later its files are the
 * container's own, whatever their names are. A layer of another storage is not changed, and must have no
 * whiteouts to convert. Returns DONE, or reports and returns FAILED.
 */
int convert_layer(const struct storage_home *home, const char *path, bool upper);

/* Converts all layers of a storage: its root, such as ~/.local/share/containers/storage. As above. */
int convert_storage(const char *path);

#endif
