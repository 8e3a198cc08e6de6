/* SPDX-License-Identifier: MIT */
/* An attacker: a process of an ordinary user that exchanges files of that user as fast as it can. */
#ifndef IDM_HOSTILE_HOSTILE_H
#define IDM_HOSTILE_HOSTILE_H

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base/macros.h"
#include "tests/integration/mount/trees.h"

/* Two paths whose files are exchanged. */
struct pair {
	const char *a, *b;
};

struct attack {
	pid_t pid;
	unsigned long *swaps; /* the number of successful exchanges, in shared memory */
};

static inline void attack_forever(const struct pair *pairs, size_t n, unsigned long *swaps)
{
	for (size_t i = 0;; i = (i + 1) % n)
		if (syscall(SYS_renameat2, AT_FDCWD, pairs[i].a, AT_FDCWD, pairs[i].b,
			    2 /* RENAME_EXCHANGE */) == 0)
			__atomic_add_fetch(swaps, 1, __ATOMIC_RELAXED);
}

static inline unsigned long attack_swaps(const struct attack *attack)
{
	return __atomic_load_n(attack->swaps, __ATOMIC_RELAXED);
}

/* Returns after the first exchange. The user must be able to rename the pairs. */
static inline struct attack attack_start(const struct pair *pairs, size_t n, uid_t uid)
{
	struct attack attack = { .swaps = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					       MAP_SHARED | MAP_ANONYMOUS, -1, 0) };

	assert_true(attack.swaps != MAP_FAILED);
	attack.pid = (pid_t)must(fork());
	if (attack.pid == 0) {
		become_user(uid, uid);
		must(prctl(PR_SET_PDEATHSIG, SIGKILL));
		attack_forever(pairs, n, attack.swaps);
	}
	while (attack_swaps(&attack) < n) {
		assert_int_equal(waitpid(attack.pid, NULL, WNOHANG), 0);
		sched_yield();
	}
	return attack;
}

static inline void attack_end(struct attack *attack)
{
	must(kill(attack->pid, SIGKILL)); /* not reaped yet, so the number is still valid */
	must(waitpid(attack->pid, NULL, 0));
	note("the attacker has changed something %lu times", attack_swaps(attack));
	must(munmap(attack->swaps, 4096));
}

/* Returns the number of tries: 100,000 in the long form. */
static inline unsigned int attempts(unsigned int usually)
{
	return test_is_long() ? 100000 : test_is_slow() ? usually / 5 : usually;
}

/* The path and the number of a mount, by its descriptor. */
struct place {
	char path[256];
	uint64_t id;
};

static inline int take_path(const struct idm_mount_info *mount, void *data)
{
	struct place *place = data;

	snprintf(place->path, sizeof(place->path), "%s", mount->target);
	place->id = mount->id;
	return 0;
}

static inline struct place place_of(int fd)
{
	struct place place = { 0 };
	struct idm_error err;

	assert_ok(idm_list_path(fd, "", IDM_LIST_EMPTY_PATH, take_path, &place, &err), &err);
	return place;
}

static inline bool is_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	return strncmp(path, directory, n) == 0 && path[n] == '/';
}

/* Makes a directory of the user. */
static inline void users_dir(const char *path, uid_t uid)
{
	scratch_dir(path);
	must(chown(path, uid, uid));
}

static inline void users_link(const char *to, const char *path, uid_t uid)
{
	must(symlink(to, path));
	must(lchown(path, uid, uid));
}

#endif
