/* SPDX-License-Identifier: MIT */
/* The user-namespace child: short-lived, in a new user namespace. */
#ifndef IDM_USERNS_USERNS_CHILD_H
#define IDM_USERNS_USERNS_CHILD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <time.h>

#include "lib/sys/raw-syscall.h"

enum idm_userns_child_way {
	IDM_USERNS_CHILD_ZOMBIE, /* does nothing but exit; stays a zombie until idm_userns_child_end() */
	IDM_USERNS_CHILD_LIVE,	 /* waits until it is killed */
	IDM_USERNS_CHILD_OWN, /* the same with a memory of its own, and dumpable: see userns-child-main.c
			       */
};

/*
 * Linux 6.11, struct procmap_query in <linux/fs.h>: asks a "maps" in /proc for the mapping of an
 * address.
 */
struct idm_procmap_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset;
	uint64_t inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};

#define IDM_PROCMAP_QUERY _IOWR('f', 17, struct idm_procmap_query)

struct idm_userns_child_range {
	unsigned long from, to;
};

/* What a child that lives shares with the caller. Its stack is behind that. */
struct idm_userns_child_shared {
	/*
	 * What its getppid() returns as long as the caller lives. In a PID namespace that the thread has
	 * unshared, it returns 0 all the time, and the caller's pidfd tells; negative: it is refused.
	 */
	pid_t parent;
	struct pollfd caller;
	struct timespec at_once, pause; /* the one is 0 */
	char root[2];			/* "/" */
	uint32_t over;			/* tells it to exit, should it not be possible to kill it */
	uint32_t ready;			/* of the third way: it is dumpable */
	uint32_t full; /* it is not, and exits: a page could be neither unmapped nor emptied */
	int n_kept;
	struct idm_userns_child_range kept[3]; /* of its memory, sorted */
	unsigned long page;		       /* the size of one */
	unsigned long vdso;		       /* 0: not known */
	unsigned long noted; /* where the kernel writes in the page of a restartable sequence */
	int maps;	     /* the caller's in /proc; negative: it cannot be read */
	struct idm_procmap_query mapping;
};

struct idm_userns_child {
	int pidfd;
	pid_t number; /* in the caller's PID namespace, as clone(2) says */
	enum idm_userns_child_way way;
	struct idm_userns_child_shared *shared; /* of a child that runs code; NULL for the others */
	int own_fd;				/* the caller's pidfd for such a child, or negative */
	int maps_fd; /* the same of its memory, for a child that has a copy of that */
};

/*
 * Starts a child in a new user namespace of its own.
 * Returns 0 or -errno as clone3(2). -EOPNOTSUPP: not supported by this architecture.
 */
int idm_userns_child_start(struct idm_userns_child *child, enum idm_userns_child_way way);

/* Waits until the first way's child is a zombie, or has been reaped by another thread. */
void idm_userns_child_await_exit(struct idm_userns_child *child);

/* Kills a child that lives; it stays a zombie. */
void idm_userns_child_kill(struct idm_userns_child *child);

/*
 * Kills and reaps the child; fine if another thread has reaped it. errno stays as it was. -errno as
 * waitid(2): the child may be left as a zombie.
 */
int idm_userns_child_end(struct idm_userns_child *child);

/* ---- userns-child-main.c ---- */

void idm_userns_child_main(void *shared);

/* All of its code. */
extern const char __start_idm_userns_child[] __attribute__((visibility("hidden")));
extern const char __stop_idm_userns_child[] __attribute__((visibility("hidden")));

#endif
