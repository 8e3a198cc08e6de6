// SPDX-License-Identifier: MIT
/*
 * Of the executor: the assembler, a process that puts the root together for a child in another user
 * namespace.
 *
 * A process with CAP_SYS_ADMIN over a mount namespace can unmount and remount what was attached there.
 * So the container's mounts are attached in a mount namespace of the caller's user namespace, by a
 * process that stays in that. The child itself is in the same mount namespace, without a privilege over
 * it, and takes a locked copy of it in the end:
 *
 *   first process (caller's user namespace)     unshare(CLONE_NEWNS), start the assembler
 *   the child (its own user namespace)          make its filesystems, send them as descriptors
 *   assembler (caller's user namespace)         attach all, pivot, which moves the child's root, too
 *   the child                                   unshare(CLONE_NEWNS): every mount is locked
 *
 * The two speak through a socket. The assembler has a copy of the descriptors (not the same table), so
 * that the socket hangs up when the other side exits, however that happens.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#ifndef STATX_TYPE
#include <linux/stat.h>
#endif

#include "executor.h"

/* The end of the socket that this process has: the request cannot hold it, since all processes share
 * that.
 */
static long assembler_socket = -1;

/* A message names the mount that its descriptor is of. READY: all have been sent; this one is the child
 * root's. */
#define READY ~0U

struct message {
	struct msghdr header;
	struct iovec data;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
};

static void prepare_message(struct message *m, uint32_t *word)
{
	m->data = (struct iovec){ word, sizeof(*word) };
	m->header = (struct msghdr){ .msg_iov = &m->data,
				     .msg_iovlen = 1,
				     .msg_control = m->control.space,
				     .msg_controllen = sizeof(m->control.space) };
}

/* ---- the child's side ---- */

static long send_tree_fd(uint32_t word, int32_t fd)
{
	struct message m;
	long r;

	prepare_message(&m, &word);
	m.control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
					     .cmsg_level = SOL_SOCKET,
					     .cmsg_type = SCM_RIGHTS };
	*(int *)CMSG_DATA(&m.control.header) = fd;
	do
		r = raw(SYS_sendmsg, assembler_socket, &m.header, MSG_NOSIGNAL);
	while (r == -EINTR);
	return r < 0 ? r : 0;
}

/* A pipe belongs to the filesystem IDs of the process that makes it. */
static long send_ready(void)
{
	int pipe[2];
	long r = raw(SYS_pipe2, pipe, O_CLOEXEC);

	if (r < 0)
		return r;
	r = send_tree_fd(READY, pipe[0]);
	raw(SYS_close, pipe[0]);
	raw(SYS_close, pipe[1]);
	return r;
}

static long send_trees(struct idm_request *request)
{
	struct idm_request_mount *mounts = idm_request_array(request, request->mounts);
	long r = 0;

	for (uint32_t i = 0; i < request->n_mounts && r == 0; i++) {
		int32_t tree = mounts[i].tree;

		if (!mounts[i].fstype)
			continue;
		/* The request is shared, the descriptor tables are not: the assembler fills in its
		 * number.
		 */
		mounts[i].tree = -1;
		r = send_tree_fd(i, tree);
		raw(SYS_close, tree);
	}
	return r == 0 ? send_ready() : r;
}

static void forget_filesystems(struct idm_request *request)
{
	struct idm_request_mount *mounts = idm_request_array(request, request->mounts);

	for (uint32_t i = 0; i < request->n_mounts; i++)
		if (mounts[i].fstype)
			mounts[i].tree = -1;
}

/* Until it has its lock, or is done. Its report is in the request by then, if it failed. */
static long await_assembler(struct idm_request *request)
{
	char byte;
	long r;

	do
		r = raw(SYS_read, assembler_socket, &byte, 1);
	while (r == -EINTR);
	if (request->report.error)
		return request->report.error;
	return r > 0 ? 0 : r < 0 && r != -ECONNRESET ? r : -ESRCH; /* it was killed */
}

long idm_child_let_assemble(struct idm_request *request)
{
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_ASSEMBLE, 0, 0);
	r = send_trees(request);
	if (r == 0)
		r = await_assembler(request);
	raw(SYS_close, assembler_socket);
	forget_filesystems(request);
	return r == -EPIPE ? -ESRCH : r;
}

/* ---- its own side ---- */

static long receive_tree_fd(long socket, uint32_t *word, int32_t *fd)
{
	struct message m;
	long r;

	prepare_message(&m, word);
	do
		r = raw(SYS_recvmsg, socket, &m.header, MSG_CMSG_CLOEXEC);
	while (r == -EINTR);
	if (r != sizeof(*word) || m.header.msg_controllen < CMSG_LEN(sizeof(int)))
		return r < 0 ? r : -ESRCH;
	*fd = *(int *)CMSG_DATA(&m.control.header);
	return 0;
}

static long receive_trees(struct idm_request *request, long socket, int32_t *ready)
{
	struct idm_request_mount *mounts = idm_request_array(request, request->mounts);
	uint32_t word;
	int32_t fd;
	long r;

	while ((r = receive_tree_fd(socket, &word, &fd)) == 0) {
		if (word == READY) {
			*ready = fd;
			return 0;
		}
		mounts[word].tree = fd;
	}
	return r;
}

/*
 * What is created in the root is owned by the child's root: through an ID-mapped root filesystem, no
 * other owner has an ID on disk. The capabilities that setfsuid(2) clears are restored.
 */
static long become_root_owner(int32_t ready)
{
	struct statx st;
	long r = raw(SYS_statx, ready, "", AT_EMPTY_PATH, STATX_UID | STATX_GID, &st);

	if (r < 0)
		return r;
	raw(SYS_setfsgid, st.stx_gid);
	raw(SYS_setfsuid, st.stx_uid);
	return idm_child_regain_capabilities();
}

static int send_done(long socket)
{
	long r;

	do
		r = raw(SYS_write, socket, "", 1);
	while (r == -EINTR);
	return r == 1;
}

/* If the child has exited, nothing is assembled, and it has said itself what has failed. */
static void assemble_for(struct idm_request *request, long socket)
{
	int32_t ready = -1;
	long r = receive_trees(request, socket, &ready);

	if (r < 0)
		return;
	r = become_root_owner(ready);
	if (r == 0)
		r = idm_child_assemble(request);
	request->report.error = (int32_t)r;
	send_done(socket);
}

/* The caller finds this process by its lock, and releases it. If the caller is gone, so is its lock. */
static void run_assembler(struct idm_request *request, long socket)
{
	if (idm_request_lock(request, IDM_LOCK_ASSEMBLER, 0) == 0) {
		if (send_done(socket))
			assemble_for(request, socket);
		raw(SYS_close, socket); /* the child has its answer, or sees the hangup */
		idm_request_lock(request, IDM_LOCK_RELEASE, 1);
	}
	idm_raw_exit(0);
}

long idm_child_start_assembler(struct idm_request *request)
{
	int sockets[2];
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_ASSEMBLE, 0, 0);
	r = raw(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets);
	if (r < 0)
		return r;
	raw(SYS_prctl, PR_SET_NAME, request->name);
	/* A child of the caller, which reaps it. Its number is written before it runs. */
	r = raw(SYS_clone, CLONE_PARENT | CLONE_PARENT_SETTID, 0, &request->report.assembler);
	if (r == 0) {
		raw(SYS_close, sockets[0]);
		run_assembler(request, sockets[1]);
	}
	raw(SYS_prctl, PR_SET_NAME, "idm-child");
	raw(SYS_close, sockets[1]);
	assembler_socket = sockets[0];
	return r < 0 ? r : await_assembler(request);
}
