// SPDX-License-Identifier: MIT
/*
 * The race for a process number, without chance. Between any two system calls of the library another
 * thread kills and reaps the library's child (thief.h). A process in another user namespace then gets
 * its number. The library must detect that, must not touch that process, and returns the right namespace
 * or -ESRCH.
 *
 * Two other tests prove that the thief is effective. In one the library's check whether the child still
 * exists gets a false answer. The other one uses process numbers alone, as other programs do. Both fail.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"
#include "thief.h"

#define SOME_MAP "u:0:100000:1000,u:1000:0:1,g:0:200000:1000,g:1000:7:1"

/* Seconds. The limit catches hangs, and leaves time for a busy machine. */
#define LIMIT 300

/* Rounds at each call. */
static unsigned int rounds(void)
{
	return test_is_long() ? 1000 : TEST_SANITIZED ? 5 : test_is_slow() ? 2 : 10;
}

/* The input of the victim, and its results. */
static struct job {
	struct idm_map *map, *read;
	unsigned int way;
	int userns;
	int r;
	struct idm_error err;
} job;

/* ---- the victims ---- */

static void make_userns(void *unused)
{
	(void)unused;
	job.r = job.userns = idm_userns_open(job.map, job.way, &job.err);
}

static void read_userns(void *unused)
{
	(void)unused;
	job.read = map_of("");
	job.r = idm_map_add_userns(job.read, job.userns, &job.err);
}

/* Without the program a second child with a copy of the memory does it. The library has to find its
 * number. */
static void read_userns_by_copy(void *unused)
{
	static __thread bool refused;

	if (!refused)
		refuse_call(SYS_execveat, EPERM);
	refused = true;
	read_userns(unused);
}

static bool is_reader(void (*victim)(void *))
{
	return victim == read_userns || victim == read_userns_by_copy;
}

static void write_by_number(pid_t pid, const char *name, const char *text)
{
	char path[64];
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		job.r = -errno;
}

/* Starts a child that waits. Finds everything by its number, and kills it by its number. */
static void do_as_others_do(void *unused)
{
	char path[64];
	pid_t pid;

	(void)unused;
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		for (;;)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	job.r = 0;
	write_by_number(pid, "uid_map", "0 100000 1000\n1000 0 1\n");
	write_by_number(pid, "gid_map", "0 200000 1000\n1000 7 1\n");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	job.userns = open(path, O_RDONLY | O_CLOEXEC);
	if (job.userns < 0)
		job.r = -errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- the results ---- */

static const char *wrong_namespace(const struct theft *theft)
{
	for (unsigned int i = 0; i < theft->n; i++)
		if (decoy_has_namespace(&theft->decoys[i], job.userns))
			return "another process's namespace was brought home";
	return NULL;
}

/* Returns the wrong result of a round; NULL: right or an error. */
static const char *find_wrong(const struct theft *theft, void (*victim)(void *))
{
	const char *harm = thief_harm(theft);

	if (harm || job.r < 0)
		return harm;
	if (!is_reader(victim))
		return wrong_namespace(theft);
	return idm_map_equal(job.read, job.map) ? NULL : "another process's map was brought home";
}

/* The right result. If every child is taken, -ESRCH is right, too. */
static void assert_right(const struct theft *theft, void (*victim)(void *))
{
	const char *wrong = find_wrong(theft, victim);

	if (wrong)
		fail_msg("child taken at call %u: %s", theft->at, wrong);
	if (theft->all && job.r == -ESRCH)
		assert_contains(job.err.hint, "__WALL");
	else
		assert_ok(job.r, &job.err);
	/* Nothing is wrong so far. Now checks the map that the kernel reports. */
	if (victim == make_userns && job.r >= 0)
		assert_userns(job.userns, job.map);
}

static void clean_up(struct theft *theft, void (*victim)(void *))
{
	thief_end_decoys(theft);
	if (is_reader(victim))
		idm_map_free(job.read);
	else if (job.userns >= 0)
		close(job.userns);
}

/* ---- at every call ---- */

struct sum {
	unsigned int steps, taken, decoys, wrong, gave_up;
};

/* Runs one round; false: there was no such call. */
static bool take_once(struct theft *theft, void (*victim)(void *), bool fooled, struct sum *sum)
{
	thief_round(theft);
	sum->taken += theft->taken;
	sum->decoys += theft->n;
	sum->gave_up += job.r == -ESRCH;
	if (fooled)
		sum->wrong += !!find_wrong(theft, victim);
	else
		assert_right(theft, victim);
	clean_up(theft, victim);
	return theft->taken;
}

/*
 * A child with its own memory makes dozens of calls of one kind, which remove the parts of its address
 * space. Where all is slow, only some of them are tried. A false answer fools at two calls only, so these
 * are not left out.
 */
static unsigned int next_call(const struct theft *theft)
{
	if (!test_is_slow() || theft->at < 25 || theft->lie)
		return theft->at + 1;
	return theft->at + (theft->all ? 20 : 5);
}

static struct sum take_at_every_call(struct theft theft, void (*victim)(void *), unsigned int times,
				     bool fooled)
{
	struct sum sum = { 0 };

	theft.orphans = true;
	for (bool taken = true; taken; sum.steps += taken) {
		struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);

		theft.at = next_call(&theft);
		taken = false;
		for (unsigned int i = 0; i < times; i++)
			taken |= take_once(&theft, victim, fooled, &sum);
		snapshot_assert_same(before);
	}
	/* It opens three files, writes twice, and kills. The library makes some more calls. */
	assert_true(sum.steps > (victim == do_as_others_do ? 8 : 15));
	/* The child has at most one call for each bit of an address, and few others. */
	assert_true(theft.at < 160);
	assert_true(sum.decoys > sum.steps);
	return sum;
}

/* Robs the victim with this name. If `fooled`, its check gets a false answer. */
static struct sum rob(const char *what, void (*victim)(void *), struct theft theft, unsigned int times,
		      bool fooled)
{
	struct sum sum;

	thief_start(victim, NULL);
	sum = take_at_every_call(theft, victim, times, fooled);
	thief_stop();
	note("%s: taken at each of %u calls, %u times, and replaced %u times; wrong %u times, gave up %u "
	     "times",
	     what, sum.steps, sum.taken, sum.decoys, sum.wrong, sum.gave_up);
	return sum;
}

static const struct {
	unsigned int flags;
	const char *what;
} ways[] = {
	{ 0, "namespace" },
	{ IDM_USERNS_ZOMBIE, "namespace by a zombie" },
	{ IDM_USERNS_LIVE, "namespace by a live child" },
	{ IDM_USERNS_OWN_MEMORY, "namespace by a child with its own memory" },
};

static unsigned int rob_all(struct theft theft, unsigned int times)
{
	unsigned int decoys = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		job.way = ways[i].flags;
		decoys += rob(ways[i].what, make_userns, theft, times, false).decoys;
	}
	job.userns = userns_of(SOME_MAP);
	decoys += rob("map of a namespace", read_userns, theft, times, false).decoys;
	theft.child = 1;
	decoys += rob("map of a namespace by a copy", read_userns_by_copy, theft, times, false).decoys;
	close(job.userns);
	return decoys;
}

/* ---- the tests ---- */

static void in_own_pid_namespace(void (*body)(void *))
{
	need_root();
	scratch_enter();
	job.map = map_of(SOME_MAP);
	in_pid_namespace(body, NULL);
	idm_map_free(job.map);
}

static void once_by_number(void *unused)
{
	(void)unused;
	proof("pid-reuse", rob_all((struct theft){ 0 }, rounds()),
	      "children taken, and their numbers given to others");
}

TEST_WITHIN(whenever_the_child_is_taken_all_is_right, LIMIT)
{
	in_own_pid_namespace(once_by_number);
}

static void once_with_few_numbers(void *unused)
{
	(void)unused;
	thief_with_few_numbers();
	proof("pid-reuse", rob_all((struct theft){ 0 }, rounds()),
	      "children taken, and their numbers come around");
}

static void no_few_numbers(void)
{
	untried("kernel.pid_max is the whole host's");
}

TEST_AS(the_same_where_numbers_are_few, LIMIT, 6, 14, no_few_numbers)
{
	in_own_pid_namespace(once_with_few_numbers);
}

static void always(void *unused)
{
	const struct theft theft = { .all = true };
	struct sum sum;

	(void)unused;
	proof("pid-reuse", rob_all(theft, rounds() / 20 + 1),
	      "children taken, and their numbers given to others");
	job.way = 0;
	sum = rob("namespace", make_userns, theft, 1, false);
	assert_true(sum.gave_up > 5);
	assert_true(sum.gave_up < sum.steps);
}

TEST_WITHIN(if_every_child_is_taken_it_gives_up, LIMIT)
{
	in_own_pid_namespace(always);
}

static void without_the_question(void *unused)
{
	struct theft theft = { .lie = true };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		job.way = ways[i].flags;
		assert_true(rob("namespace, without the question", make_userns, theft, 3, true).wrong >
			    0);
	}
	job.userns = userns_of(SOME_MAP);
	/* The program makes no error: only its parent can reap it, and only its parent uses its number.
	 */
	assert_true(rob("map, without the question", read_userns, theft, 3, true).wrong == 0);
	theft.child = 1;
	assert_true(
		rob("map by a copy, without the question", read_userns_by_copy, theft, 3, true).wrong >
		0);
	close(job.userns);
}

TEST(without_the_question_it_would_be_fooled)
{
	in_own_pid_namespace(without_the_question);
}

static void by_number_alone(void *unused)
{
	(void)unused;
	assert_true(rob("as others do it", do_as_others_do, (struct theft){ 0 }, 3, true).wrong > 0);
}

TEST(by_number_alone_one_is_fooled)
{
	in_own_pid_namespace(by_number_alone);
}
