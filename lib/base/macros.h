/* SPDX-License-Identifier: MIT */
/* Small things that every folder uses: cleanup attributes, fd ownership, "..". */
#ifndef IDM_BASE_MACROS_H
#define IDM_BASE_MACROS_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#if defined(__SANITIZE_THREAD__)
#define IDM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IDM_TSAN 1
#endif
#endif
#ifndef IDM_TSAN
#define IDM_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define IDM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IDM_ASAN 1
#endif
#endif
#ifndef IDM_ASAN
#define IDM_ASAN 0
#endif

/*
 * Closes at the end of the scope. A system call wrapper that failed leaves -errno here: below 0. The
 * number of a closed descriptor does not stay, since another thread's next one has it.
 */
static inline void idm_close_fd(int *fd)
{
	if (*fd < 0)
		return;
	close(*fd);
	*fd = -1;
}

static inline void idm_free_ptr(void *p)
{
	free(*(void **)p);
}

#define AUTO_CLOSE __attribute__((cleanup(idm_close_fd)))
#define AUTO_FREE __attribute__((cleanup(idm_free_ptr)))

/* Hands an fd on, so that the scope that held it does not close it. */
static inline int idm_steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Whether a component of the path is "..", which leads out of the directory before it. */
static inline bool idm_goes_up(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return true;
	return false;
}

#endif
