/* SPDX-License-Identifier: MIT */
/* Children with a pidfd, and reapers of them. */
#ifndef IDM_LIB_ENDS_H
#define IDM_LIB_ENDS_H

#include <signal.h>

#include "test.h"

struct child {
	pid_t pid;
	int pidfd;
};

/* A forked child that runs `body` and ends with 0. By clone3, with flags of its own. */
struct child child_start(void (*body)(void *), void *arg);
struct child child_start_with(uint64_t flags, int exit_signal, void (*body)(void *), void *arg);

/* One that ends with this status at once. It is not waited for. */
struct child child_exiting(int status);

/* One that stays until it is killed. */
struct child child_staying(void);

/* One that this process traces. It stops by SIGSTOP, and then ends with this status. */
struct child child_traced(int status);

/* Makes a child a zombie for sure, without taking anything away: waits until its pidfd says so. */
void child_await_zombie(const struct child *c);

/* Kills it by its pidfd, and waits until it is a zombie. */
void child_kill(const struct child *c);

void child_close(struct child *c);

/* A descriptor that is readable, now. */
bool is_readable(int fd);

struct idm_reaper *reaper_new(void);

static inline void free_reaper(struct idm_reaper **reaper)
{
	idm_reaper_free(*reaper);
}

#define AUTO_REAPER __attribute__((cleanup(free_reaper)))

/* The number of its fork server, which is no child of this process, as a child of that says. */
pid_t forkserver_of(struct idm_reaper *reaper);

/* The next end, which must come, and be this. pid 0: any. */
void assert_next_at(const char *file, int line, struct idm_reaper *reaper, const void *data, pid_t pid,
		    int code, int status);
#define assert_next(reaper, data, pid, code, status) \
	assert_next_at(HERE, reaper, data, pid, code, status)

/* No end is pending, and the descriptor is not readable. */
void assert_nothing_at(const char *file, int line, struct idm_reaper *reaper);
#define assert_nothing(reaper) assert_nothing_at(HERE, reaper)

void assert_exit_at(const char *file, int line, const struct idm_exit_info *exit, pid_t pid, int code,
		    int status);
#define assert_exit(exit, pid, code, status) assert_exit_at(HERE, exit, pid, code, status)

/* Room for so many descriptors, and some more; skips the test if the system does not give it. */
void want_descriptors(unsigned int n);

#endif
