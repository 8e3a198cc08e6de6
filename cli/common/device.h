/* SPDX-License-Identifier: MIT */
/*
 * A block device as source: the filesystem on it is mounted and mapped in one step. blkid(8) reads the
 * superblock, which may be hostile, in a process of its own.
 */
#ifndef IDM_CLI_COMMON_DEVICE_H
#define IDM_CLI_COMMON_DEVICE_H

#include <stdbool.h>

/* Returns whether the source begins as UUID=, LABEL=, PARTUUID= or PARTLABEL=. */
bool is_device_tag(const char *source);

/* Returns whether the source is such a tag, or a block device. */
bool is_device_source(const char *source);

/*
 * Finds the device of a tag. *device is its path, which the caller frees, or NULL if no device has it.
 * Returns DONE, or FAILED after a report.
 */
int find_tagged_device(const char *tag, char **device);

/* Reports that no device has the tag. */
void report_no_device(const char *tag);

struct mount_request;

struct mount_options;

/*
 * Returns the type of the filesystem on the device, which the caller frees, or NULL after a report about
 * the source of the request. The request's own type is not looked for.
 */
char *find_device_type(const struct mount_request *request, const char *device);

/*
 * Mounts and maps the filesystem, detached. Returns a descriptor, or -1 after a report. A dry run finds
 * out the type alone, because a mount may write a journal back. It mounts an empty filesystem instead.
 */
int open_device_tree(const struct mount_request *request, const struct mount_options *mount_options);

#endif
