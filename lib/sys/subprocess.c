// SPDX-License-Identifier: MIT
#include "subprocess.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "clone-deaf.h"
#include "procfs.h"
#include "seccomp-probe.h"
#include "subprocess-work.h"
#include "syscall.h"

static int run_work(void *arg)
{
	volatile struct idm_work *work = arg;

	work->result = work->run(work->data);
	work->done = true;
	return 0;
}

int idm_work_start(struct idm_work *work, int flags, struct idm_subprocess *process)
{
	int r = idm_refused_waitid();

	process->pidfd = -1;
	if (r < 0) /* a child that could not be reaped is not started */
		return r;
	if (!work->had_child)
		r = idm_procfs_check_init();
	if (r < 0)
		return r;
	r = idm_clone_deaf(run_work, CLONE_FILES | flags, work, &process->pidfd);
	return r < 0 ? r : 0;
}

void *idm_subprocess_memory(size_t size)
{
	return idm_sys_map(size, MAP_SHARED);
}

void idm_subprocess_memory_free(void *memory, size_t size)
{
	idm_sys_unmap(memory, size);
}

int idm_subprocess_run(struct idm_subprocess *process, int (*run)(void *data), void *data)
{
	struct idm_work *work = idm_subprocess_memory(sizeof(*work));
	siginfo_t info;
	int r;

	process->pidfd = -1;
	if (!work)
		return -ENOMEM;
	*work = (struct idm_work){ .run = run, .data = data };
	r = idm_work_start(work, 0, process);
	if (r == 0) {
		/* ECHILD: another thread reaped it, so it exited as well. */
		idm_sys_waitid_pidfd(process->pidfd, &info, WEXITED | WNOWAIT | __WALL);
		r = work->done ? work->result : -ESRCH;
	}
	idm_subprocess_memory_free(work, sizeof(*work));
	return r;
}

void idm_subprocess_end(struct idm_subprocess *process)
{
	siginfo_t info;

	if (process->pidfd < 0)
		return;
	idm_sys_waitid_pidfd(process->pidfd, &info, WEXITED | __WALL);
	close(process->pidfd);
	process->pidfd = -1;
}

int idm_subprocess(int (*run)(void *data), void *data)
{
	struct idm_subprocess process;
	int r = idm_subprocess_run(&process, run, data);

	idm_subprocess_end(&process);
	return r;
}

/* Joining the namespace that one is in anyway makes its root directory one's own: out of a chroot(2). */
static int join_own_mount_ns(void)
{
	AUTO_CLOSE int ns = idm_procfs_open_self("ns/mnt", IDM_STEP_NONE, NULL);

	return ns < 0 ? ns : idm_sys_setns(ns, CLONE_NEWNS);
}

int idm_subprocess_new_mount_ns(void)
{
	int r = idm_sys_unshare(CLONE_NEWNS);

	if (r == 0)
		r = idm_sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (r != -EINVAL) /* the root directory is no mount */
		return r;
	r = join_own_mount_ns();
	return r < 0 ? r : idm_sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

int idm_subprocess_open_mount_ns(struct idm_own_mount_ns *own)
{
	own->self = idm_sys_openat(own->proc, "thread-self", O_PATH | O_DIRECTORY, 0);
	if (own->self < 0)
		return own->self;
	own->directory = idm_procfs_openat(own->self, "ns", O_PATH | O_DIRECTORY);
	if (own->directory < 0)
		return own->directory;
	own->fd = idm_sys_openat(own->directory, "mnt", O_RDONLY, 0);
	return own->fd < 0 ? own->fd : 0;
}

void idm_subprocess_close_parts(struct idm_own_mount_ns *own)
{
	idm_close_fd(&own->directory);
	idm_close_fd(&own->self);
}
