// SPDX-License-Identifier: MIT
/*
 * A child attaches all trees in a mount namespace of its own. It joins the container's user namespace,
 * and enters a copy of the mount namespace. Then it stops, and the caller finds the copy by /proc.
 *
 * The child has a copy of the memory, since it changes its credentials (subprocess.h). Processes of
 * another container can share the user namespace and have the host's PID namespace. They can kill the
 * child. A process that exits loses its memory first. Many kernels let them open its files from then
 * on, although it was not dumpable. So it leaves all directories and descriptors of the host before it
 * joins.
 */
#include "locked-copy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/file-type.h"
#include "lib/sys/probe.h"
#include "lib/sys/procfs.h"
#include "lib/sys/subprocess-work.h"
#include "lib/sys/syscall.h"
#include "placing.h"

/* ---- in the child ---- */

struct stage_name name_on_stage(size_t i)
{
	struct stage_name name;

	snprintf(name.text, sizeof(name.text), "%zu", i);
	return name;
}

/* A tree of a directory needs a directory, one of a file needs a file. */
static int make_place_on_stage(int stage, const char *name, int tree)
{
	AUTO_CLOSE int file = -1;
	mode_t type;
	int r = idm_file_type(tree, &type);

	if (r < 0)
		return r;
	if (S_ISDIR(type))
		return idm_sys_mkdirat(stage, name, 0700);
	file = idm_sys_openat(stage, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return file < 0 ? file : 0;
}

static int attach_to_stage(int stage, size_t i, int tree)
{
	struct stage_name name = name_on_stage(i);
	int r = make_place_on_stage(stage, name.text, tree);

	return r < 0 ? r : idm_sys_move_mount(tree, "", stage, name.text, MOVE_MOUNT_F_EMPTY_PATH);
}

static int attach_all_to_stage(struct locking *l, int stage)
{
	int r = 0;

	for (size_t i = 0; i < l->n && r == 0; i++) {
		if (l->placings[i].tree < 0)
			continue;
		l->which = i;
		r = attach_to_stage(stage, i, l->placings[i].tree);
	}
	return r;
}

/* The stage becomes the working directory: unlike a descriptor, that leads to the copy of a mount. */
static int enter_stage(struct locking *l)
{
	AUTO_CLOSE int stage = -1;
	int r;

	l->step = IDM_STEP_MAKE_MOUNT_NAMESPACE;
	r = idm_subprocess_new_mount_ns();
	if (r < 0)
		return r;
	l->step = IDM_STEP_MAKE_SCRATCH;
	stage = idm_probe_tmpfs();
	if (stage < 0)
		return stage;
	r = idm_sys_move_mount(stage, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (r == 0)
		r = idm_sys_fchdir(stage);
	if (r < 0)
		return r;
	l->step = IDM_STEP_ATTACH;
	return attach_all_to_stage(l, stage);
}

/* What is left are the stage, and the user namespace as standard input. */
static int leave_host(int userns)
{
	int r = chroot(".") < 0 ? -errno : idm_sys_unshare(CLONE_FILES);

	if (r == 0)
		r = idm_sys_dup_to(userns, STDIN_FILENO);
	return r < 0 ? r : idm_sys_keep_fds(STDIN_FILENO + 1);
}

/* The child must not wait for a caller that was killed. setns(2) resets this, so it comes later. */
static int tie_to_caller(pid_t caller)
{
	int r = idm_sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);

	return r == 0 && getppid() != caller ? -ESRCH : r;
}

/*
 * If its user owns the user namespace, the kernel leaves it as it is. Else setns(2) sets the attribute
 * to the sysctl fs.suid_dumpable, which is not 1 (untraceable.c), or was not when the hook has looked.
 */
static int join_owner(const struct locking *l)
{
	int r = idm_sys_prctl(PR_SET_DUMPABLE, 0, 0);

	if (r == 0)
		r = idm_sys_setns(STDIN_FILENO, CLONE_NEWUSER);
	if (r == 0)
		r = idm_sys_prctl(PR_SET_DUMPABLE, 0, 0);
	return r < 0 ? r : tie_to_caller(l->caller);
}

/* The caller kills it when it has found the copy. */
static int lock_in_child(void *data)
{
	struct locking *l = data;
	int r = enter_stage(l);

	if (r < 0)
		return r;
	l->step = IDM_STEP_JOIN_USERNS;
	l->which = l->n;
	r = leave_host(l->userns);
	if (r == 0)
		r = join_owner(l);
	if (r < 0)
		return r;
	l->step = IDM_STEP_LOCK_MOUNTS;
	r = idm_sys_unshare(CLONE_NEWNS);
	if (r < 0)
		return r;
	l->ready = true;
	return kill(getpid(), SIGSTOP) < 0 ? -errno : 0;
}

/* ---- in the caller ---- */

/* The child is not reaped yet, so its number is its own. */
static int find_copy(struct locking *l, int pidfd)
{
	AUTO_CLOSE int process = idm_procfs_open(pidfd, false, NULL), owner = -1;

	if (process < 0)
		return process;
	l->namespace = idm_procfs_openat(process, "ns/mnt", O_RDONLY);
	if (l->namespace < 0)
		return l->namespace;
	l->stage = idm_sys_openat(process, "cwd", O_PATH | O_DIRECTORY, 0);
	if (l->stage < 0)
		return l->stage;
	owner = idm_sys_ioctl(l->namespace, IDM_NS_GET_USERNS, NULL);
	return owner < 0 ? owner : idm_is_same_inode(owner, l->userns) ? 0 : -ESRCH;
}

/* Processes of the user namespace can stop the child, too. Then it is not ready. */
static int wait_for_copy(struct locking *l, const struct idm_work *work, int pidfd)
{
	siginfo_t info;

	idm_sys_waitid_pidfd(pidfd, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL);
	if (l->ready)
		return find_copy(l, pidfd);
	return work->done ? work->result : -ESRCH;
}

int make_locked_copy(struct locking *l)
{
	struct idm_work *work = idm_subprocess_memory(sizeof(*work));
	struct idm_subprocess process;
	int r;

	if (!work)
		return -ENOMEM;
	*work = (struct idm_work){ .run = lock_in_child, .data = l };
	r = idm_work_start(work, 0, &process);
	if (r == 0)
		r = wait_for_copy(l, work, process.pidfd);
	if (process.pidfd >= 0)
		idm_sys_pidfd_send_signal(process.pidfd, SIGKILL);
	idm_subprocess_end(&process);
	idm_subprocess_memory_free(work, sizeof(*work));
	return r;
}
