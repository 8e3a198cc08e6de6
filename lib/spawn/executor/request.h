/* SPDX-License-Identifier: MIT */
/*
 * What a child has to do between clone and exec, as one block of memory: it is read in the caller's
 * memory by a child that shares that, and in a memory file by the executor (main.c), which has no
 * libc. So it holds no pointer: strings and arrays are offsets from the beginning, 0 for none.
 */
#ifndef IDM_SPAWN_EXECUTOR_REQUEST_H
#define IDM_SPAWN_EXECUTOR_REQUEST_H

#include <stdint.h>

/* What a child is doing. The words for each are in spawn/spawn-diag.c. */
enum idm_child_step {
	IDM_CHILD_STEP_NONE = 0,
	IDM_CHILD_STEP_DESCRIPTORS,
	IDM_CHILD_STEP_PROCESS_GROUP,
	IDM_CHILD_STEP_EXECUTOR,
	IDM_CHILD_STEP_JOIN,
	IDM_CHILD_STEP_JOIN_USER,
	IDM_CHILD_STEP_USER_IDS,
	IDM_CHILD_STEP_NAMESPACES,
	IDM_CHILD_STEP_PID_NAMESPACE,
	IDM_CHILD_STEP_SECOND,
	IDM_CHILD_STEP_PROPAGATION,
	IDM_CHILD_STEP_ATTACH_ROOT,
	IDM_CHILD_STEP_PIVOT,
	IDM_CHILD_STEP_MOUNT_TARGET,
	IDM_CHILD_STEP_MOUNT_OPTION,
	IDM_CHILD_STEP_MOUNT,
	IDM_CHILD_STEP_DETACH_OLD_ROOT,
	IDM_CHILD_STEP_ASSEMBLE,
	IDM_CHILD_STEP_LOCK_MOUNTS,
	IDM_CHILD_STEP_LIMIT_USERNS,
	IDM_CHILD_STEP_KEYRING,
	IDM_CHILD_STEP_SECCOMP,
	IDM_CHILD_STEP_HOSTNAME,
	IDM_CHILD_STEP_SESSION,
	IDM_CHILD_STEP_TERMINAL,
	IDM_CHILD_STEP_BOUNDING,
	IDM_CHILD_STEP_GROUPS,
	IDM_CHILD_STEP_GID,
	IDM_CHILD_STEP_UID,
	IDM_CHILD_STEP_CAPABILITIES,
	IDM_CHILD_STEP_NO_NEW_PRIVS,
	IDM_CHILD_STEP_CWD,
	IDM_CHILD_STEP_INIT,
	IDM_CHILD_STEP_EXEC,
	IDM_STEPS
};

/* The value that comes with a signal for the program's process group, see idm_child_signal_group(). */
#define IDM_SIGNAL_GROUP 0x67726f75

/* Written by the child, read by the caller when the child has left this memory. */
struct idm_child_report {
	uint32_t step;	   /* that it has begun last */
	int32_t error;	   /* -errno, if that failed */
	uint32_t item;	   /* which of several: an index, or a descriptor's number */
	uint32_t string;   /* the text concerned, in the request */
	int32_t pid;	   /* of the second process, if there has been one; as the first one sees it */
	int32_t assembler; /* the number of that process, likewise */
	char words[232];   /* the kernel's own */
};

struct idm_request_fd {
	int32_t from, to;
};

struct idm_request_mount {
	uint32_t target, fstype, source;
	uint32_t options, n_options; /* pairs of offsets: a name, and a value or 0 */
	uint32_t attr;
	uint32_t flags;
	uint32_t is_file; /* of a tree: its root is no directory */
	int32_t tree;
};

struct idm_request_join {
	int32_t fd;
	uint32_t type; /* CLONE_NEW* */
	uint32_t joined;
};

/* The caller's own, to have them through an exec, and those that are wanted. */
struct idm_request_caps {
	uint64_t effective, permitted, inheritable, bounding, ambient;
};

/*
 * POSIX locks on the request's memory file say which process has not left it yet: they belong to one
 * process, survive its exec of the executor, and go when it executes the program or ends, however that
 * happens. (A pipe cannot tell: copies of its end may be in what other threads fork.)
 */
#define IDM_LOCK_FIRST 0     /* the child */
#define IDM_LOCK_SECOND 1    /* a second one that the first has made */
#define IDM_LOCK_CALLER 2    /* the caller holds back the second one by it, until it has its pidfd */
#define IDM_LOCK_ALIVE 3     /* the caller, until all is done */
#define IDM_LOCK_ASSEMBLER 4 /* the assembler, as long as it lives */
#define IDM_LOCK_RELEASE 5   /* the caller, until it knows the assembler by a pidfd */

#define IDM_REQUEST_EXECUTOR 1U	     /* not all can be done in the caller's memory */
#define IDM_REQUEST_RESET_IGNORED 2U /* signals that are ignored get their default again */
#define IDM_REQUEST_RESET_HANDLED 4U /* so do those with a handler: the kernel has not done it */
#define IDM_REQUEST_SECOND 8U	/* the program is a second process, in a PID namespace made or joined */
#define IDM_REQUEST_NEW_PID 16U /* and that is made for it */
#define IDM_REQUEST_OTHER_USER 32U /* another user namespace is joined */
#define IDM_REQUEST_KEEP_FDS 64U
#define IDM_REQUEST_SESSION 128U
#define IDM_REQUEST_SET_GROUPS 256U
#define IDM_REQUEST_SET_CAPS 512U
#define IDM_REQUEST_RAISE_AMBIENT 1024U /* exec would take away the caller's capabilities */
#define IDM_REQUEST_NO_NEW_PRIVS 2048U
#define IDM_REQUEST_INIT 4096U
#define IDM_REQUEST_PIVOT 8192U
#define IDM_REQUEST_NEW_MOUNT 16384U
#define IDM_REQUEST_DIE 32768U /* with the thread that started it */
#define IDM_REQUEST_KEYRING 65536U
#define IDM_REQUEST_LIMIT_USERNS 131072U
#define IDM_REQUEST_NO_KEYRINGS 262144U
#define IDM_REQUEST_IN_FILE                                                            \
	524288U /* the memory that the first process reads it in is the request's file \
		 */

struct idm_request {
	struct idm_child_report report; /* first: it is read by itself */
	uint32_t size;
	uint32_t flags;
	uint64_t mask; /* of blocked signals that the program starts with */
	uint32_t go;   /* the second process may go on */

	/* All descriptors that are needed. What is -1 is not. */
	int32_t request_fd; /* this request in a memory file */
	int32_t executor_fd;
	int32_t program_fd;
	int32_t root_fd;
	int32_t terminal_fd;
	int32_t cwd_fd; /* the directory to begin in; -1: the one that the first process is in */
	int32_t assembly_userns_fd; /* joined to put the root together; -1: the caller's is good for that
				     */
	uint32_t fds, n_fds;
	uint32_t joins, n_joins;
	uint32_t mounts, n_mounts;
	uint32_t kept; /* space for the numbers of all of them, to sort */

	uint32_t namespaces;  /* CLONE_NEW* to unshare */
	uint32_t propagation; /* MS_* */
	uint32_t hostname;
	uint32_t uid, gid;
	uint32_t groups, n_groups;
	struct idm_request_caps own, caps;
	int32_t process_group;
	uint32_t filter, n_filter; /* of seccomp: struct sock_filter's */

	/* The name of the second process until the caller has its pidfd, and of the assembler as long as
	 * it lives. No other process has this name. */
	char name[16];

	uint32_t cwd;
	uint32_t paths, n_paths; /* to try, in this order: offsets */
	uint32_t argv, envp;	 /* arrays of uint64_t offsets, made pointers of in place */
};

#endif
