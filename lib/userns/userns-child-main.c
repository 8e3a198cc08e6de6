// SPDX-License-Identifier: MIT
/*
 * The child that is dumpable although the caller is not.
 *
 * A process that is not dumpable may not open the maps of a child that shares its memory. A child with a
 * copy can make itself dumpable. But then every process of the same user may look into it, so it first
 * drops what it has of the caller's: all memory but the pages that it needs itself, all descriptors
 * and the working directory. What is left is this code, one page that is zero, and a stack.
 *
 * It runs without libc, from a section of its own, so that its pages are known. The compiler may keep a
 * constant of more than one word elsewhere. So what has such ones is in the shared page.
 */
#include "userns-child.h"

#include <errno.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

#include "lib/sys/raw-syscall.h"

#define HERE __attribute__((section("idm_userns_child"), noinline, used))
/*
 * Becomes a part of the child's only function, which never returns. A shadow stack (CET) is a mapping,
 * too, and the child unmaps it: no call and no return may follow.
 */
#define INLINE static inline __attribute__((always_inline))
/* No address is above that. The kernel says where memory really ends. */
#if __SIZEOF_LONG__ == 8
#define END (1UL << 56)
#else
#define END 0xffff0000UL
#endif

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2U /* Linux 5.9 */
#endif
#define FUTEX_WAKE_ONE 1
#define VDSO_PAGES 16 /* neither it nor its data have more, on any architecture */

/* The vDSO, or the kernel's own data for it, which are below it. Every process has them. */
INLINE int is_of_vdso(const struct idm_userns_child_shared *shared, unsigned long at)
{
	unsigned long most = VDSO_PAGES * shared->page;

	return shared->vdso && at + most >= shared->vdso && at < shared->vdso + most;
}

/*
 * Of a private mapping the content is gone then. EPERM: it is sealed and read-only. ENOMEM: nothing is
 * mapped at a part of it. The vDSO's data cannot be emptied. No mapping is locked in a child.
 */
INLINE long empty_pages(const struct idm_userns_child_shared *shared, unsigned long from,
			unsigned long to)
{
	long r = raw(SYS_madvise, from, to - from, MADV_DONTNEED);

	return r == -EINVAL && is_of_vdso(shared, from) ? 0 : r;
}

/* Returns where the caller's mapping ends that has this page; 0: the kernel does not tell. */
INLINE unsigned long find_mapping_end(struct idm_userns_child_shared *shared, unsigned long at)
{
	shared->mapping.query_addr = at;
	return raw(SYS_ioctl, shared->maps, IDM_PROCMAP_QUERY, &shared->mapping) == 0
		       ? (unsigned long)shared->mapping.vma_end
		       : 0;
}

/*
 * Empties the sealed mapping that the first page is of, up to its end or *end, and tells where that is.
 * A sealed mapping keeps its place and its size, so the child's is where the caller's is. The caller's
 * can only be larger, by what another thread has sealed beside it. Before Linux 6.11 the kernel does not
 * tell the end, and each page is emptied by itself.
 */
INLINE long empty_sealed(struct idm_userns_child_shared *shared, unsigned long from, unsigned long *end)
{
	unsigned long known = find_mapping_end(shared, from);
	unsigned long its_end = known > from ? known : from + shared->page;
	long r;

	/* The kernel keeps a huge page that is not emptied as a whole, and returns 0. */
	if (its_end > *end && shared->mapping.vma_page_size > shared->page)
		return -EPERM;
	if (its_end < *end)
		*end = its_end;
	r = empty_pages(shared, from, *end);
	return r == -ENOMEM && known ? 0 : r; /* all that the child has there is emptied */
}

/*
 * Unmaps a piece of a mapping of which the kernel unmaps no single page: of huge pages, or of the vDSO.
 * The piece begins with that mapping, and becomes larger until the kernel accepts its end. *end is the
 * last possible one at first, and then that.
 */
INLINE long unmap_unsplit(const struct idm_userns_child_shared *shared, unsigned long from,
			  unsigned long *end)
{
	unsigned long size = shared->page, most = *end - from;

	if (empty_pages(shared, from, from + size) == -ENOMEM)
		return 0; /* beyond the end of the memory: nothing is mapped in the rest */
	while (size <= most / 2) {
		size *= 2;
		*end = from + size;
		if (raw(SYS_munmap, from, size) == 0)
			return 0;
	}
	*end = from + shared->page;
	return is_of_vdso(shared, from) ? 0 : -EINVAL;
}

/*
 * In pieces, as large as the kernel lets them be. It refuses a piece that holds a sealed mapping (Linux
 * 6.10), such as the vDSO: the content of that is thrown away. Behind it, the pieces grow again,
 * whatever was refused before: EINVAL does not tell whether the piece extends beyond the end of the
 * memory, or ends inside of a huge page or the vDSO's data. So a refused size is tried once more behind
 * each piece, and the calls are three times as many as an address has bits, for each such mapping.
 * Returns 0, or -errno if a page keeps its content.
 */
INLINE long unmap_range(struct idm_userns_child_shared *shared, unsigned long from, unsigned long to)
{
	unsigned long page = shared->page, size = to - from;

	while (from < to) {
		unsigned long end = from + size;
		long r = raw(SYS_munmap, from, size);

		if (r < 0 && size > page) {
			size = size / 2 & -page;
			continue;
		}
		if (r < 0) {
			end = to;
			r = r == -EINVAL ? unmap_unsplit(shared, from, &end)
					 : empty_sealed(shared, from, &end);
		}
		if (r < 0)
			return r;
		size = end - from;
		from = end;
		size = size < (to - from) / 2 ? 2 * size : to - from;
	}
	return 0;
}

INLINE long unmap_all_but_kept(struct idm_userns_child_shared *shared)
{
	unsigned long from = shared->page; /* nothing can be mapped below */
	long r = 0;

	for (int i = 0; i < shared->n_kept && r == 0; i++) {
		if (shared->kept[i].from > from)
			r = unmap_range(shared, from, shared->kept[i].from);
		from = shared->kept[i].to;
	}
	if (r == 0)
		r = unmap_range(shared, from, END);
	/* The kernel continues to write there. */
	if (r == 0 && shared->noted)
		r = empty_pages(shared, shared->noted & -shared->page,
				(shared->noted & -shared->page) + shared->page);
	return r;
}

/* Asked when the kernel already is to kill the child at the caller's exit. */
INLINE int has_caller_exited(struct idm_userns_child_shared *shared)
{
	long parent = raw(SYS_getppid);

	return parent ? parent != shared->parent
		      : raw(SYS_ppoll, &shared->caller, 1, &shared->at_once) > 0;
}

/* Returns whether the child is dumpable, with nothing of the caller's left. */
INLINE int show_itself(struct idm_userns_child_shared *shared)
{
	shared->full = unmap_all_but_kept(shared) < 0;
	/* A new, empty table: nothing is copied. */
	return !shared->full && raw(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE) == 0 &&
	       raw(SYS_chdir, shared->root) == 0 && raw(SYS_prctl, PR_SET_DUMPABLE, 1) == 0;
}

INLINE void stay(struct idm_userns_child_shared *shared)
{
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	raw(SYS_futex, &shared->ready, FUTEX_WAKE_ONE, 1);
	while (!__atomic_load_n(&shared->over, __ATOMIC_ACQUIRE)) {
		shared->pause.tv_nsec = 10000000; /* the kernel leaves there what was left of it */
		raw(SYS_ppoll, 0, 0, &shared->pause);
	}
}

HERE void idm_userns_child_main(void *data)
{
	struct idm_userns_child_shared *shared = data;

	raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (!has_caller_exited(shared) && show_itself(shared))
		stay(shared);
	for (;;)
		raw(SYS_exit, 0);
}
