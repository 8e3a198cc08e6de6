/* SPDX-License-Identifier: MIT */
/* What the tests of children have in common. */
#ifndef IDM_INTEGRATION_SPAWN_CHILDREN_H
#define IDM_INTEGRATION_SPAWN_CHILDREN_H

#include "tests/lib/test.h"

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Options for a shell that runs the script. Good until the end of the block that it is called in. */
#define SCRIPT(text) script_options(ARGV("sh", "-c", text))
struct idm_child_options script_options(const char *const *argv);

/* A child that must start; its pidfd. */
int child_of(const struct idm_child_options *o);

/* How it ends; closes the pidfd. */
struct idm_exit_info end_of(int pidfd);
void assert_ends_at(const char *file, int line, int pidfd, int code, int status);
#define assert_ends(pidfd, code, status) assert_ends_at(HERE, pidfd, code, status)

/* What it writes to descriptors 1 and 2 when it ends well; to free(). */
char *output_of(const struct idm_child_options *o);
void assert_output_at(const char *file, int line, const struct idm_child_options *o, const char *text);
#define assert_output(o, text) assert_output_at(HERE, o, text)

/* What does not start, says why, and leaves nothing. */
void assert_no_child_at(const char *file, int line, const struct idm_child_options *o, int code,
			const char *subject, const char *step, const char *reason);
#define assert_no_child(o, code, subject, step, reason) \
	assert_no_child_at(HERE, o, code, subject, step, reason)

/* A root filesystem in SCRATCH "/root" with the host's programs in it, and what it is as a detached
 * tree. */
void make_root(void);
int new_root(void);

/* Older kernels have no trees that could be a root. The library reports that where they are made. */
void trees_are_refused(void);

/* Options for a shell that runs the script below a new root with these mounts. No namespaces yet. */
struct idm_child_options rooted_options(const char *script, const struct idm_map *map,
					const struct idm_child_mount *mounts, size_t n);

#endif
