/* SPDX-License-Identifier: MIT */
/* What a process has, to see that it is as before: one line a thing, sorted. */
#ifndef IDM_LIB_SNAPSHOT_H
#define IDM_LIB_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#define SNAPSHOT_FDS 1U	      /* this process's descriptors */
#define SNAPSHOT_PROCESSES 2U /* its children, zombies and those without SIGCHLD included */
#define SNAPSHOT_MOUNTS 4U    /* the mounts of its mount namespace */
#define SNAPSHOT_ALL 7U
/* What is below SCRATCH: modes, owners, sizes, links. Not in ALL, since many a test makes files on
 * purpose. */
#define SNAPSHOT_FILES 8U

struct snapshot;

struct snapshot *snapshot_take(unsigned int what);

/* Fails the test and prints the difference unless all is as it was. Frees the snapshot. */
void snapshot_assert_same(struct snapshot *before);

size_t snapshot_lines(const struct snapshot *snapshot);
const char *snapshot_text(const struct snapshot *snapshot);
void snapshot_free(struct snapshot *snapshot);

/* Reaps fork servers that have exited. They are orphans, so any subreaper above their program gets them.
 */
void snapshot_reap_forkservers(void);

/* Kills and reaps this process's children. Whether there was any. */
bool snapshot_kill_children(void);

#endif
