/* SPDX-License-Identifier: MIT */
/*
 * What the files of the reaper share. reaper.c makes a reaper and adds children, deliver.c waits for
 * them, start.c has the fork server start them. watch.c is the table of children that were added.
 * adopt.c and orphans.c are about all others.
 */
#ifndef IDM_REAPER_INTERNAL_H
#define IDM_REAPER_INTERNAL_H

#include <pthread.h>

#include "forkserver.h"
#include "idmount.h"
#include "lib/base/hashtable.h"
#include "lib/sys/pidfd.h"

/* A child that was added. */
struct idm_watch {
	struct idm_hash_link by_process; /* the key: see struct idm_pidref */
	struct idm_hash_link by_name;	 /* of held ones; the key of all is the caller's data */
	unsigned int flags;
	int fd;	   /* readable after the exit: a pidfd, or the pipe of the fork server's report */
	pid_t pid; /* 0: unknown */
	bool by_forkserver; /* the fork server is its parent */
	bool waited;	    /* a thread is in idm_reaper_wait() for it */
};

static inline void *idm_watch_data(const struct idm_watch *watch)
{
	return (void *)(uintptr_t)watch->by_name.key;
}

struct idm_orphans {
	bool wanted;
	bool due;    /* some may have exited since the last search */
	int signals; /* a signalfd for SIGCHLD; -1 without adoption */
	int found;   /* readable while the list has an orphan */
	void *data;
	struct idm_orphan *first, **last; /* exited orphans, to be delivered */
};

/*
 * One page holds all that is written when a child is added to at most IDM_REAPER_OWN others. Children
 * are added just after a fork, and the kernel copies each page at the first write after that. Such a
 * copy takes longer than all other work of adding: docs/performance.md has the numbers.
 */
#define IDM_REAPER_PAGE 4096
#define IDM_REAPER_OWN 68

struct idm_reaper {
	pthread_mutex_t starting; /* of the socket to the fork server; locked before the other */
	pthread_mutex_t lock;	  /* of all below */
	pid_t owner;		  /* the process */
	int fd; /* an epoll: children, edge-triggered; other descriptors have no data */
	struct idm_hashtable by_process, by_name;
	struct idm_orphans orphans;
	struct idm_forkserver forkserver;
	void *forkserver_orphans;    /* their data */
	struct idm_hash_link *spare; /* the unused ones of `own`, linked by by_name */
	struct idm_watch own[IDM_REAPER_OWN];
	struct idm_hash_link *buckets[64]; /* the first buckets of by_process */
};

_Static_assert(sizeof(struct idm_reaper) <= IDM_REAPER_PAGE, "it fits into its page");

/* ---- watch.c: all below under the lock ---- */

/*
 * Adds a descriptor that makes idm_reaper_fd() readable while it is readable. At most IDM_REAPER_ALSO.
 */
#define IDM_REAPER_ALSO 3U /* SIGCHLD, found orphans, orphans of the fork server */
int idm_reaper_also(struct idm_reaper *reaper, int fd);

/* Makes the tables; releases them with their content. */
void idm_watch_begin(struct idm_reaper *reaper);
void idm_watch_free_all(struct idm_reaper *reaper);

/* Returns the held child with this data, or NULL. */
struct idm_watch *idm_watch_of_name(struct idm_reaper *reaper, void *data);

/* Adds a copy of `what`. Its fd then belongs to the reaper. Returns 0 or -errno. */
int idm_watch_add(struct idm_reaper *reaper, const struct idm_watch *what);

/* Adds the process with a duplicate of its pidfd. -EEXIST: the reaper watches it already. */
int idm_watch_process(struct idm_reaper *reaper, int pidfd, const struct idm_pidref *process,
		      unsigned int flags, void *data);

/* Removes the child and closes its descriptor. */
void idm_watch_drop(struct idm_reaper *reaper, struct idm_watch *watch);

/* ---- reaper.c ---- */

/* Fails in any process but the one that made the reaper. */
int idm_reaper_refuse_fork(const struct idm_reaper *reaper, enum idm_error_step step,
			   struct idm_error *err);
/* Under the lock: fails if another child is held by this data. */
int idm_reaper_refuse_name(struct idm_reaper *reaper, unsigned int flags, void *data,
			   enum idm_error_step step, struct idm_error *err);

/* ---- orphans.c ---- */

/*
 * Searches for exited orphans after a SIGCHLD, then delivers one. Returns 1, 0 without one, or -errno.
 */
int idm_orphans_deliver(struct idm_reaper *reaper, struct idm_exit_info *exit, void **data,
			struct idm_error *err);
/* Makes idm_reaper_fd() readable as long as there may be orphans to deliver. */
void idm_orphans_set_found(const struct idm_orphans *orphans);
void idm_orphans_free(struct idm_reaper *reaper);

#endif
