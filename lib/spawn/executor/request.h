/* SPDX-License-Identifier: MIT */
/*
 * A request: all that a child does between clone and exec, as one block of memory. A child that shares
 * the caller's memory reads it there. The executor (main.c), which has no libc, reads it in a memory
 * file. So it contains no pointers: strings and arrays are offsets from its beginning, 0 for none.
 */
#ifndef IDM_SPAWN_EXECUTOR_REQUEST_H
#define IDM_SPAWN_EXECUTOR_REQUEST_H

#include <stdint.h>

/* The steps of a child. spawn/spawn-diag.c has a text for each. */
enum idm_child_step {
	IDM_CHILD_STEP_NONE = 0,
	IDM_CHILD_STEP_DESCRIPTORS,
	IDM_CHILD_STEP_PROCESS_GROUP,
	IDM_CHILD_STEP_EXECUTOR,
	IDM_CHILD_STEP_JOIN,
	IDM_CHILD_STEP_JOIN_USER,
	IDM_CHILD_STEP_USER_IDS,
	IDM_CHILD_STEP_JOIN_STAGING,
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

/* The value of a signal for the program's process group, see idm_child_signal_group(). */
#define IDM_SIGNAL_GROUP 0x67726f75

/* Written by the child. The caller reads it when the child has left this memory. */
struct idm_child_report {
	uint32_t step;	   /* the last that it has begun */
	int32_t error;	   /* -errno, if that failed */
	uint32_t item;	   /* which of several: an index, or a descriptor's number */
	uint32_t string;   /* the text concerned, in the request */
	int32_t pid;	   /* of the second process or 0, in the first one's PID namespace */
	int32_t assembler; /* of the assembler, likewise */
	char message[232]; /* of the kernel, about an fs context */
};

struct idm_request_fd {
	int32_t from, to;
};

struct idm_request_mount {
	uint32_t target, fstype, source;
	uint32_t options, n_options; /* pairs of offsets: a name, and a value or 0 */
	uint32_t attr;
	uint32_t flags;
	uint32_t is_file; /* of a tree: its root is not a directory */
	int32_t tree;
};

struct idm_request_join {
	int32_t fd;
	uint32_t type; /* CLONE_NEW* */
	uint32_t joined;
};

/* The caller's capabilities, to restore after an exec, or those for the program. */
struct idm_request_caps {
	uint64_t effective, permitted, inheritable, bounding, ambient;
};

/*
 * POSIX locks on the request's memory file show which processes have not left it yet. A lock belongs to
 * one process, survives its exec of the executor, and is released when the process executes the program
 * or exits for any reason. (A pipe cannot show that: children of other threads may have copies of its
 * end.)
 */
#define IDM_LOCK_FIRST 0     /* the child */
#define IDM_LOCK_SECOND 1    /* the second process, which the first one starts */
#define IDM_LOCK_CALLER 2    /* the caller, until it has the second process's pidfd */
#define IDM_LOCK_ALIVE 3     /* the caller, until the program is executed */
#define IDM_LOCK_ASSEMBLER 4 /* the assembler, until it exits */
#define IDM_LOCK_RELEASE 5   /* the caller, until it has the assembler's pidfd */

#define IDM_REQUEST_EXECUTOR 1U	     /* some steps need the executor */
#define IDM_REQUEST_RESET_IGNORED 2U /* resets ignored signals */
#define IDM_REQUEST_RESET_HANDLED 4U /* resets handled signals: clone3(2) did not */
#define IDM_REQUEST_SECOND 8U	     /* the program is a second process, in another PID namespace */
#define IDM_REQUEST_NEW_PID 16U	     /* which is a new one */
#define IDM_REQUEST_OTHER_USER 32U   /* the child joins another user namespace */
#define IDM_REQUEST_KEEP_FDS 64U
#define IDM_REQUEST_SESSION 128U
#define IDM_REQUEST_SET_GROUPS 256U
#define IDM_REQUEST_SET_CAPS 512U
#define IDM_REQUEST_RAISE_AMBIENT 1024U /* exec would drop the caller's capabilities */
#define IDM_REQUEST_NO_NEW_PRIVS 2048U
#define IDM_REQUEST_INIT 4096U
#define IDM_REQUEST_PIVOT 8192U
#define IDM_REQUEST_NEW_MOUNT 16384U
#define IDM_REQUEST_DIE 32768U /* with the thread that starts it */
#define IDM_REQUEST_KEYRING 65536U
#define IDM_REQUEST_LIMIT_USERNS 131072U
#define IDM_REQUEST_NO_KEYRINGS 262144U
#define IDM_REQUEST_IN_FILE 524288U  /* the first process reads it in the request's file */
#define IDM_REQUEST_CARRIED 1048576U /* the program is one that the library carries */

struct idm_request {
	struct idm_child_report report; /* first: the caller reads it alone */
	uint32_t size;
	uint32_t flags;
	uint64_t mask;	   /* blocked signals of the program */
	uint32_t released; /* the second process may continue */

	/* All descriptors, or -1. */
	int32_t request_fd; /* this request in a memory file */
	int32_t executor_fd;
	int32_t program_fd;
	int32_t root_fd;
	int32_t terminal_fd;
	int32_t cwd_fd;		    /* the working directory at the start; -1: the first process's own */
	int32_t assembly_userns_fd; /* where the root is assembled; -1: in the caller's */
	int32_t staging_fd;	    /* copied as mount namespace; -1: the present one */
	uint32_t fds, n_fds;
	uint32_t joins, n_joins;
	uint32_t mounts, n_mounts;
	uint32_t kept; /* space to sort all these numbers */

	uint32_t namespaces;  /* CLONE_NEW* to unshare */
	uint32_t propagation; /* MS_* */
	uint32_t hostname;
	uint32_t uid, gid;
	uint32_t groups, n_groups;
	struct idm_request_caps own, caps;
	int32_t process_group;
	uint32_t filter, n_filter; /* for seccomp: struct sock_filter */

	/*
	 * The name of the second process until the caller has its pidfd, and of the assembler. No other
	 * process has this name.
	 */
	char name[16];

	uint32_t cwd;
	uint32_t paths, n_paths; /* offsets, to try in this order */
	uint32_t argv, envp;	 /* arrays of offsets with the size of pointers, which replace them in place */
};

#endif
