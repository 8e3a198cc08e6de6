/* SPDX-License-Identifier: MIT */
/*
 * A path of a process, and the file that it names. A process that owns a directory on the way can
 * replace a name there at any time. An absolute link that it makes begins at the caller's root directory
 * in a path through /proc/PID/root. So no link is followed, and the file has to be the one that is
 * known, on the same mount: another one can have another map, or other flags.
 */
#ifndef IDM_CLI_EXPLAIN_PROCESS_PATH_H
#define IDM_CLI_EXPLAIN_PROCESS_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FILE_ID_TEXT 72

struct file_id {
	uint32_t major, minor; /* of the filesystem */
	uint64_t inode;
	uint64_t mount; /* its ID, unique from Linux 6.8 on; 0: any */
};

/* Each returns 0 or -errno. */
int find_file_id(int fd, struct file_id *id);
bool is_same_file_id(const struct file_id *a, const struct file_id *b);

/* "8:1:1234:56", or without the mount "8:1:1234" */
bool parse_file_id(const char *text, struct file_id *id);
void format_file_id(const struct file_id *id, char text[FILE_ID_TEXT]);

/*
 * Opens with O_PATH. `path` begins at the root or working directory of the process; 0: of the caller.
 * Returns the descriptor, or -errno; -ELOOP: there is a symbolic link on the way. One at the end is
 * opened itself.
 */
int open_process_path(pid_t pid, const char *path);

#endif
