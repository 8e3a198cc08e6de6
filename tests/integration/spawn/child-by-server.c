// SPDX-License-Identifier: MIT
/*
 * The tests of idm_child_start() hold for a child of a fork server, too: they are linked with this file,
 * which starts a fork server for each child, and ends it when the child has been waited for.
 */
#include "by-server.h"

#include <pthread.h>

#include "tests/lib/test.h"

extern const bool children_have_a_server;
const bool children_have_a_server = true;

static struct {
	int pidfd;
	struct idm_reaper *reaper;
} children[512];
static size_t n_children;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void remember(int pidfd, struct idm_reaper *reaper)
{
	pthread_mutex_lock(&lock);
	assert_true(n_children < sizeof(children) / sizeof(children[0]));
	children[n_children].pidfd = pidfd;
	children[n_children++].reaper = reaper;
	pthread_mutex_unlock(&lock);
}

static struct idm_reaper *reaper_of(int pidfd, bool forget)
{
	struct idm_reaper *reaper = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = n_children; i-- > 0 && !reaper;) {
		if (children[i].pidfd != pidfd)
			continue;
		reaper = children[i].reaper;
		if (forget)
			children[i] = children[--n_children];
	}
	pthread_mutex_unlock(&lock);
	return reaper;
}

static bool is_for_a_server(const struct idm_child_options *o)
{
	return o && !(o->flags & (IDM_CHILD_KEEP_FDS | IDM_CHILD_DIE_WITH_THREAD));
}

/* The function itself does what a fork server cannot do, and works where none can exist. */
int __wrap_idm_child_start(const struct idm_child_options *o, struct idm_error *err)
{
	struct idm_reaper *reaper;
	int pidfd;

	if (!is_for_a_server(o) || idm_reaper_new(&reaper, NULL) < 0)
		return __real_idm_child_start(o, err);
	if (idm_reaper_start_forkserver(reaper, 0, NULL, NULL) < 0) {
		idm_reaper_free(reaper);
		return __real_idm_child_start(o, err);
	}
	pidfd = idm_reaper_start(reaper, o, 0, NULL, err);
	if (pidfd < 0)
		idm_reaper_free(reaper);
	else
		remember(pidfd, reaper);
	return pidfd;
}

int __wrap_idm_child_wait(int pidfd, int timeout_ms, struct idm_exit_info *exit, struct idm_error *err)
{
	struct idm_reaper *reaper = reaper_of(pidfd, false);
	struct idm_exit_info unused;
	int r;

	if (!reaper)
		return __real_idm_child_wait(pidfd, timeout_ms, exit, err);
	r = idm_reaper_next(reaper, timeout_ms, exit ? exit : &unused, NULL, err);
	if (r == 0)
		idm_reaper_free(reaper_of(pidfd, true));
	return r;
}
