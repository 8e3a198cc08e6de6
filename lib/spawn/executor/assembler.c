// SPDX-License-Identifier: MIT
/*
 * Part of the executor: the assembler, a process that assembles the root for a child in another user
 * namespace.
 *
 * A process with CAP_SYS_ADMIN over a mount namespace can unmount and remount all that is attached
 * there. So a process in the caller's user namespace attaches the container's mounts, in a mount
 * namespace of that user namespace. The child is in the same mount namespace without a privilege over
 * it. At the end it gets a locked copy:
 *
 *   first process (caller's user namespace)     unshare(CLONE_NEWNS), start the assembler
 *   the child (its own user namespace)          make its filesystems, send them as descriptors
 *   assembler (caller's user namespace)         attach all, pivot, which moves the child's root, too
 *   the child                                   unshare(CLONE_NEWNS): every mount is locked
 *
 * The two communicate by a socket. The assembler has a copy of the descriptors and not the same table,
 * so the socket hangs up when the other side exits for any reason.
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

/* This process's end of the socket. It is not in the request, which all processes share. */
static long assembler_socket = -1;

/*
 * A message has the number of a mount, and its descriptor. READY follows the last one; its descriptor
 * belongs to the child's root user.
 */
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

/* A pipe is owned by the filesystem IDs of its maker. */
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
		/*
		 * The request is shared, the descriptor tables are not: the assembler stores its own
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

/* Waits for a byte of the assembler. After a failure its report is in the request. */
static long await_assembler(struct idm_request *request)
{
	char byte;
	long r;

	do
		r = raw(SYS_read, assembler_socket, &byte, 1);
	while (r == -EINTR);
	if (request->report.error)
		return request->report.error;
	return r > 0 ? 0 : r < 0 && r != -ECONNRESET ? r : -ESRCH; /* the assembler was killed */
}

long idm_child_let_assemble(struct idm_request *request)
{
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_ASSEMBLE, 0, 0);
	r = send_trees(request);
	if (r == 0)
		idm_child_limit_keyrings_early(request);
	if (r == 0)
		r = await_assembler(request); /* it has its lock */
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
 * Makes the child's root user own all that is created in the root: through an ID-mapped root filesystem,
 * other owners have no ID on disk. Restores the capabilities that setfsuid(2) clears.
 */
static long become_root_owner(int32_t ready)
{
	struct statx st;
	long r = raw(SYS_statx, ready, "", AT_EMPTY_PATH, STATX_UID | STATX_GID, &st);

	if (r < 0)
		return r;
	raw(SYS_setfsgid, st.stx_gid);
	raw(SYS_setfsuid, st.stx_uid);
	idm_child_stay_undumpable();
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

/* If the child has exited, it has reported its error, and nothing is assembled. */
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

/*
 * The caller finds this process by its lock, then releases it. The exit of the caller releases it, too.
 * If the child fails before there is a lock, the caller finds this process by its name.
 */
static void run_assembler(struct idm_request *request, long socket)
{
	if (idm_request_lock(request, IDM_LOCK_ASSEMBLER, 0) == 0) {
		if (send_done(socket))
			assemble_for(request, socket);
		raw(SYS_close, socket); /* the child has its answer, or gets a hangup */
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
	/* The caller is its parent and reaps it. The kernel writes its number before it runs. */
	r = idm_raw_fork(CLONE_PARENT | CLONE_PARENT_SETTID, &request->report.assembler);
	if (r == 0) {
		raw(SYS_close, sockets[0]);
		run_assembler(request, sockets[1]);
	}
	raw(SYS_prctl, PR_SET_NAME, "idm-child");
	raw(SYS_close, sockets[1]);
	assembler_socket = sockets[0];
	return r < 0 ? r : 0;
}
