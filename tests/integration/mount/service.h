/* SPDX-License-Identifier: MIT */
/* A caller that the kernel does not let map: root of a user namespace of user 1500. */
#ifndef IDM_INTEGRATION_MOUNT_SERVICE_H
#define IDM_INTEGRATION_MOUNT_SERVICE_H

#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "lib/base/service-wire.h"
#include "trees.h"

#define SOCKET SCRATCH "/idmountd.sock"
#define SOURCE SCRATCH "/source"
#define TARGET SCRATCH "/target"

/* The user and the subordinate IDs, as the container's IDs 0 and 1 to 65535. */
#define USER 1500
#define SUBORDINATE 200000
#define USERNS_MAP "0 1500 1\n1 200000 65535\n"

/* Files of the user and of a subordinate ID, on a filesystem of the host. */
static inline void make_source(void)
{
	scratch_enter();
	scratch_dir(SOURCE);
	scratch_dir(TARGET);
	must(chown(SOURCE, USER, USER));
	owned_file(SOURCE "/user", USER, USER);
	owned_file(SOURCE "/sub", SUBORDINATE, SUBORDINATE + 1);
	owned_file(SOURCE "/other", 1600, 1600);
	must(setenv(IDM_SERVICE_SOCKET_ENV, SOCKET, 1));
}

static inline void enter_as_user(void)
{
	enter_userns(USERNS_MAP);
	must(unshare(CLONE_NEWNS));
}

/* The call with IDM_TREE_SERVICE. */
static inline int open_with(const char *path, const char *map, unsigned int flags, uint32_t attr,
			    struct idm_error *err)
{
	AUTO_FD int userns = userns_of(map);
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;

	options.flags = IDM_TREE_SERVICE | flags;
	options.attr_set = attr;
	return idm_tree_open(AT_FDCWD, path, userns, &options, err);
}

/* Disk 1500 and 200000 are seen as 7 and 8. */
#define SHIFT "1500:7:1,200000:8:2"

static inline void assert_shifted(int tree)
{
	assert_owner_in(tree, "", 7, 7);
	assert_owner_in(tree, "user", 7, 7);
	assert_owner_in(tree, "sub", 8, 9);
	assert_owner_in(tree, "other", 65534, 65534);
}

/* ---- the real service ---- */

static pid_t idmountd __attribute__((unused)) = -1;

static inline bool answers(void)
{
	const struct sockaddr_un at = { AF_UNIX, SOCKET };
	AUTO_FD int fd = (int)must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));

	return connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
}

static inline void start_idmountd(void)
{
	const char *program = getenv("IDMOUNTD");

	if (!program)
		skip_test("IDMOUNTD is not in the environment");
	make_source();
	idmountd = (pid_t)must(fork());
	if (idmountd == 0) {
		execl(program, program, "--socket", SOCKET, NULL);
		_exit(127);
	}
	while (!answers()) {
		assert_int_equal(must(waitpid(idmountd, NULL, WNOHANG)), 0);
		usleep(2000);
	}
}

static inline void stop_idmountd(void)
{
	must(kill(idmountd, SIGTERM)); /* a child that was not waited for */
	await_child(idmountd);
}

#endif
