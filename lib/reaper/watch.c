// SPDX-License-Identifier: MIT
/*
 * The children that a reaper watches: a table by process, a table of held children by the caller's data,
 * and the epoll that reports exits of the others.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "internal.h"
#include "lib/base/cancel.h"
#include "lib/base/macros.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/syscall.h"

static struct idm_watch *new_watch(struct idm_reaper *reaper)
{
	struct idm_hash_link *spare = reaper->spare;

	if (!spare)
		return malloc(sizeof(struct idm_watch));
	reaper->spare = spare->next;
	return idm_container_of(struct idm_watch, by_name, spare);
}

static void delete_watch(struct idm_reaper *reaper, struct idm_watch *watch)
{
	if (watch < reaper->own || watch >= reaper->own + IDM_REAPER_OWN) {
		free(watch);
		return;
	}
	watch->by_name.next = reaper->spare;
	reaper->spare = &watch->by_name;
}

void idm_watch_begin(struct idm_reaper *reaper)
{
	for (size_t i = IDM_REAPER_OWN; i-- > 0;)
		delete_watch(reaper, &reaper->own[i]);
	idm_hashtable_begin(&reaper->by_process, reaper->buckets, ARRAY_SIZE(reaper->buckets));
}

static void free_watch(struct idm_hash_link *link, void *reaper)
{
	struct idm_watch *watch = idm_container_of(struct idm_watch, by_process, link);

	close(watch->fd);
	delete_watch(reaper, watch);
}

void idm_watch_free_all(struct idm_reaper *reaper)
{
	idm_hashtable_each(&reaper->by_process, free_watch, reaper);
	idm_hashtable_free(&reaper->by_process);
	idm_hashtable_free(&reaper->by_name);
}

int idm_reaper_also(struct idm_reaper *reaper, int fd)
{
	return idm_sys_epoll_add(reaper->fd, fd, EPOLLIN, NULL);
}

/* ---- finding ---- */

static struct idm_watch *watch_of_process(struct idm_reaper *reaper, uint64_t key)
{
	struct idm_hash_link *link = key ? idm_hashtable_find(&reaper->by_process, key) : NULL;

	for (; link; link = idm_hashtable_again(link)) {
		struct idm_watch *watch = idm_container_of(struct idm_watch, by_process, link);

		if (!watch->by_forkserver && !(key & IDM_KEY_NUMBER && idm_pidfd_is_reaped(watch->fd)))
			return watch;
	}
	return NULL;
}

struct idm_watch *idm_watch_of_name(struct idm_reaper *reaper, void *data)
{
	return idm_container_of(struct idm_watch, by_name,
				idm_hashtable_find(&reaper->by_name, (uintptr_t)data));
}

/* ---- adding and dropping ---- */

/* Held and spared children are not in the epoll: they must not wake a thread. */
static bool is_in_epoll(const struct idm_watch *watch)
{
	return !(watch->flags & (IDM_REAPER_ADD_HOLD | IDM_REAPER_ADD_SPARE));
}

static int enter_tables(struct idm_reaper *reaper, struct idm_watch *watch)
{
	int r = idm_hashtable_add(&reaper->by_process, &watch->by_process);

	if (r < 0)
		return r;
	if (watch->flags & IDM_REAPER_ADD_HOLD)
		r = idm_hashtable_add(&reaper->by_name, &watch->by_name);
	else if (is_in_epoll(watch))
		r = idm_sys_epoll_add(reaper->fd, watch->fd, EPOLLIN | EPOLLET, watch);
	if (r < 0)
		idm_hashtable_remove(&reaper->by_process, &watch->by_process);
	return r;
}

int idm_watch_add(struct idm_reaper *reaper, const struct idm_watch *what)
{
	struct idm_watch *watch = new_watch(reaper);
	int r;

	if (!watch)
		return -ENOMEM;
	*watch = *what;
	if (!watch->by_process.key) /* a unique key that no search uses */
		watch->by_process.key = (uintptr_t)watch;
	r = enter_tables(reaper, watch);
	if (r < 0)
		delete_watch(reaper, watch);
	return r;
}

void idm_watch_drop(struct idm_reaper *reaper, struct idm_watch *watch)
{
	idm_hashtable_remove(&reaper->by_process, &watch->by_process);
	if (watch->flags & IDM_REAPER_ADD_HOLD)
		idm_hashtable_remove(&reaper->by_name, &watch->by_name);
	/* Removes it explicitly: close(2) does not, while a forked child has the pidfd, too. */
	if (is_in_epoll(watch))
		idm_sys_epoll_delete(reaper->fd, watch->fd);
	close(watch->fd);
	delete_watch(reaper, watch);
}

/* idm_reaper_add() does not hold cancellation off, and close(2) is a cancellation point. */
static int close_unwatched(int fd, int r)
{
	HOLD_CANCEL;

	close(fd);
	return r;
}

int idm_watch_process(struct idm_reaper *reaper, int pidfd, const struct idm_pidref *process,
		      unsigned int flags, void *data)
{
	struct idm_watch watch = { .by_name.key = (uintptr_t)data, .flags = flags, .pid = process->pid };
	int r;

	watch.by_process.key = process->key;
	if (watch_of_process(reaper, watch.by_process.key))
		return -EEXIST;
	watch.fd = idm_sys_dup(pidfd);
	if (watch.fd < 0)
		return watch.fd;
	r = idm_watch_add(reaper, &watch);
	return r < 0 ? close_unwatched(watch.fd, r) : 0;
}
