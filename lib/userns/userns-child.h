/* SPDX-License-Identifier: MIT */
/* The short-lived child that holds a new user namespace. */
#ifndef IDM_USERNS_USERNS_CHILD_H
#define IDM_USERNS_USERNS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum idm_holder_way {
	IDM_HOLDER_ZOMBIE, /* does nothing but exit; stays a zombie until idm_holder_end() */
	IDM_HOLDER_LIVE,   /* waits until it is killed */
	IDM_HOLDER_OWN,	   /* the same with a memory of its own, and dumpable: see userns-child-main.c */
};

struct idm_holder_range {
	unsigned long from, to;
};

/* What a child that lives shares with us. Its stack is behind that. */
struct idm_holder_room {
	pid_t parent;	/* what its getppid() returns as long as we live */
	uint32_t over;	/* tells it to exit, should it not be possible to kill it */
	uint32_t ready; /* of the third way: it is dumpable */
	int n_kept;
	struct idm_holder_range kept[3]; /* of its memory, sorted */
	unsigned long page;		 /* the size of one */
	unsigned long noted; /* where the kernel writes in the page of a restartable sequence */
};

struct idm_holder {
	int pidfd;
	pid_t number; /* in the caller's PID namespace, as clone(2) says */
	enum idm_holder_way way;
	struct idm_holder_room *room; /* of a child that runs code; NULL for the others */
};

/*
 * Starts a child in a new user namespace of its own.
 * Returns 0 or -errno as clone3(2). -EOPNOTSUPP: this architecture has not the third way.
 */
int idm_holder_start(struct idm_holder *holder, enum idm_holder_way way);

/* Waits until the first way's child is a zombie, or has been reaped by another thread. */
void idm_holder_await_exit(struct idm_holder *holder);

/* Kills a child that lives; it stays a zombie. */
void idm_holder_kill(struct idm_holder *holder);

/*
 * Kills and reaps the child; fine if another thread has reaped it. errno stays as it was. -errno as
 * waitid(2): the child may be left as a zombie.
 */
int idm_holder_end(struct idm_holder *holder);

/* ---- userns-child-main.c ---- */

#if (defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__) || \
	(defined(__riscv) && __riscv_xlen == 64)
#define IDM_HOLDER_HAS_OWN 1
#else
#define IDM_HOLDER_HAS_OWN 0
#endif

void idm_holder_child(void *room);

/* All of its code. */
extern const char __start_idm_holder[] __attribute__((visibility("hidden")));
extern const char __stop_idm_holder[] __attribute__((visibility("hidden")));

#endif
