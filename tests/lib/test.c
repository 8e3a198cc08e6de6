// SPDX-License-Identifier: MIT
/* The runner, the assertions and the rest of test.h. */
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "scratch.h"
#include "snapshot.h"

#define COMMAND_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#define FAILED 1
#define SKIPPED 77

static struct test *first, **last = &first;

/* Why the running test is skipped; shared with its processes. */
static char *skip_reason;
#define SKIP_REASON_SIZE 512

void test_register(struct test *test)
{
	*last = test;
	last = &test->next;
}

/* ---- words ---- */

/* One write, so that what several threads and processes say does not mix. Each line gets "# ". */
static void say(const char *format, va_list args)
{
	char text[4096], out[8192];
	size_t n = 0;

	vsnprintf(text, sizeof(text), format, args);
	for (const char *p = text; *p;) {
		size_t length = strcspn(p, "\n");

		n += (size_t)snprintf(out + n, sizeof(out) - n, "# %.*s\n", (int)length, p);
		if (n >= sizeof(out) - 8)
			break;
		p += length + (p[length] == '\n');
	}
	if (write(STDOUT_FILENO, out, n < sizeof(out) ? n : sizeof(out) - 1) < 0)
		abort();
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void proof(const char *name, unsigned long tried, const char *what)
{
	note("proof %s: %lu %s", name, tried, what);
}

void untried(const char *why)
{
	note("untried: %s", why);
}

void fail_at(const char *file, int line, const char *format, ...)
{
	const char *slash = strrchr(file, '/');
	char text[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	note("%s:%d: %s", slash ? slash + 1 : file, line, text);
	_exit(FAILED);
}

static bool must_run(void)
{
	const char *value = getenv("IDM_MUST_RUN");

	return value && strcmp(value, "1") == 0;
}

void skip_test(const char *format, ...)
{
	char text[SKIP_REASON_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (must_run()) {
		note("IDM_MUST_RUN=1, but: %s", text);
		_exit(FAILED);
	}
	memcpy(skip_reason, text, sizeof(text));
	_exit(SKIPPED);
}

void need_root(void)
{
	if (geteuid() != 0)
		skip_test("it needs root");
}

void need_command(const char *name)
{
	char dirs[] = COMMAND_PATH, file[256], *save;

	for (char *dir = strtok_r(dirs, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		snprintf(file, sizeof(file), "%s/%s", dir, name);
		if (access(file, X_OK) == 0)
			return;
	}
	skip_test("there is no %s", name);
}

/* ---- assertions ---- */

void assert_int_at(const char *file, int line, const char *what, long long actual, bool equal,
		   long long expected)
{
	if ((actual == expected) == equal)
		return;
	if (equal)
		fail_at(file, line, "%s is %lld, expected %lld", what, actual, expected);
	fail_at(file, line, "%s is %lld", what, actual);
}

void assert_string_at(const char *file, int line, const char *what, const char *actual,
		      const char *expected)
{
	if (strcmp(actual, expected) != 0)
		fail_at(file, line, "%s is \"%s\",\nexpected \"%s\"", what, actual, expected);
}

void assert_contains_at(const char *file, int line, const char *what, const char *actual,
			const char *part)
{
	if (!strstr(actual, part))
		fail_at(file, line, "%s is \"%s\",\nwithout \"%s\"", what, actual, part);
}

void assert_ok_at(const char *file, int line, const char *what, long r, const struct idm_error *err)
{
	if (r < 0)
		fail_at(file, line, "%s: %s (%s)", what, strerror((int)-r),
			err ? err->message : "no words");
}

const char *part_of(const struct idm_error *err, struct idm_error_range part)
{
	static __thread char texts[4][sizeof(err->message)];
	static __thread unsigned int turn;
	char *text = texts[turn++ % 4];

	idm_error_part(err, part, text, sizeof(texts[0]));
	return text;
}

static void assert_part(const char *file, int line, const char *what, const char *actual,
			const char *part)
{
	if (!part)
		return;
	if (*part)
		assert_contains_at(file, line, what, actual, part);
	else
		assert_string_at(file, line, what, actual, "");
}

static bool is_one_line(const char *text, size_t size)
{
	return memchr(text, '\0', size) && !strpbrk(text, "\n\r\t\x1b\x7f");
}

void assert_error_at(const char *file, int line, const char *what, long r, int code,
		     const struct idm_error *err, const char *subject, const char *step,
		     const char *reason)
{
	if (r != code)
		fail_at(file, line, "%s returns %ld (%s), expected %d (%s)\nmessage: %s", what, r,
			r < 0 ? strerror((int)-r) : "success", code, strerror(-code),
			r < 0 && err ? err->message : "none");
	if (!err)
		return;
	assert_int_at(file, line, "err->errnum", err->errnum, true, -code);
	assert_part(file, line, "the subject", PART(*err, subject), subject);
	assert_part(file, line, "err->step", idm_error_step_text(err->step), step);
	assert_part(file, line, "the reason", PART(*err, reason), reason);
	if (!idm_error_step_text(err->step)[0] || !PART(*err, reason)[0])
		fail_at(file, line, "%s: no step or no reason: \"%s\"", what, err->message);
	if (!is_one_line(err->message, sizeof(err->message)) ||
	    !is_one_line(err->hint, sizeof(err->hint)))
		fail_at(file, line, "%s: message or hint is not one line", what);
	assert_contains_at(file, line, "err->message", err->message, PART(*err, subject));
	assert_contains_at(file, line, "err->message", err->message, idm_error_step_text(err->step));
	assert_contains_at(file, line, "err->message", err->message, PART(*err, reason));
}

/* ---- random numbers ---- */

static uint64_t seed(void)
{
	const char *text = getenv("IDM_SEED");

	return text ? strtoull(text, NULL, 0) : 1;
}

/* splitmix64 */
uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

struct rng rng_new(uint64_t stream)
{
	struct rng rng = { seed() };

	note("random numbers: IDM_SEED=%llu", (unsigned long long)rng.state);
	/* Through the generator: neighbouring states would give the same numbers, one after the other.
	 */
	rng.state = rng_next(&rng) ^ stream;
	rng.state = rng_next(&rng);
	return rng;
}

uint32_t rng_below(struct rng *rng, uint32_t bound)
{
	return (uint32_t)((rng_next(rng) >> 32) * bound >> 32);
}

/* ---- processes ---- */

/* Whether a process exited with status 0; prints how it exited if not. */
static bool ended_well(int status)
{
	if (WIFSIGNALED(status))
		note("killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) > FAILED)
		note("exit status %d", WEXITSTATUS(status));
	return status == 0;
}

void await_child(pid_t pid)
{
	int status;

	must(TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)));
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		_exit(SKIPPED);
	if (!ended_well(status))
		_exit(FAILED);
}

/* Without the thread that ThreadSanitizer starts in every child: no user namespace lets two threads in.
 */
static pid_t fork_plainly(void)
{
	return (pid_t)must(IDM_TSAN ? syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : fork());
}

void in_child(void (*body)(void *), void *arg)
{
	pid_t pid = fork_plainly();

	if (pid == 0) {
		body(arg);
		_exit(0);
	}
	await_child(pid);
}

/* nohup(1), and shells for commands in the background, start programs that ignore these. */
static void heed_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_DFL);
}

static void run_here(const struct test *test)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS);

	heed_signals();
	if (kernel_is_before(test->since[0], test->since[1])) {
		note("%s: this kernel is before Linux %u.%u", test->name, test->since[0],
		     test->since[1]);
		test->before();
	} else {
		test->run();
	}
	snapshot_assert_same(before);
	exit(0); /* not _exit: the sanitizers look for leaks now */
}

/*
 * Whether the process exits before its time is over. Valgrind does not know the call: there only the
 * whole program has a limit.
 */
static bool ends_within(pid_t pid, int seconds)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int n;

	if (end.fd < 0 && errno == ENOSYS)
		return true;
	must(end.fd);
	n = (int)must(TEMP_FAILURE_RETRY(poll(&end, 1, seconds * 1000)));
	close(end.fd);
	return n > 0;
}

/* Waits until the process exits, and kills it when its time is over. */
static bool await_test(pid_t pid, int seconds)
{
	bool ended = ends_within(pid, seconds);
	int status;

	if (!ended) {
		note("not finished after %d seconds", seconds);
		kill(pid, SIGKILL); /* not reaped yet, so the number is still its own */
	}
	must(TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)));
	if (ended && WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		return true;
	return ended_well(status) && ended;
}

/* Processes that the test left behind are children of this one. Prints and kills them. */
static bool left_processes(void)
{
	struct snapshot *left;
	bool any;

	snapshot_reap_forkservers();
	left = snapshot_take(SNAPSHOT_PROCESSES);
	any = snapshot_lines(left) > 0;

	if (any)
		note("left behind:\n%s", snapshot_text(left));
	snapshot_free(left);
	while (snapshot_kill_children())
		;
	return any;
}

/* How many times longer than usually a test may take. */
static int patience(void)
{
	const char *text = getenv("IDM_PATIENCE");
	int times = text ? atoi(text) : 1;

	return (times > 1 ? times : 1) * (TEST_SANITIZED ? 5 : 1);
}

int test_duration(int usually)
{
	const char *text = getenv("IDM_DURATION");
	int seconds = text ? atoi(text) : 0;

	return seconds <= 0 ? usually : seconds < 600 ? seconds : 600;
}

bool test_is_long(void)
{
	const char *text = getenv("IDM_LONG");

	return text && strcmp(text, "1") == 0;
}

bool test_is_slow(void)
{
	const char *text = getenv("IDM_SLOW");

	return TEST_SANITIZED || (text && strcmp(text, "1") == 0);
}

static int seconds_for(const struct test *test)
{
	int seconds = test->seconds * patience() + test_duration(0);

	return test_is_long() && seconds < 3600 ? 3600 : seconds;
}

static bool run(const struct test *test, int number)
{
	bool good;
	pid_t pid;

	skip_reason[0] = '\0';
	pid = (pid_t)must(fork());
	if (pid == 0)
		run_here(test);
	good = await_test(pid, seconds_for(test));
	good = !left_processes() && good;
	printf("%s %d - %s%s%s\n", good ? "ok" : "not ok", number, test->name,
	       good && skip_reason[0] ? " # SKIP " : "", good ? skip_reason : "");
	fflush(stdout);
	return good;
}

static bool is_wanted(const struct test *test, char **names)
{
	bool wanted = !*names;

	for (; *names; names++)
		wanted |= strcmp(test->name, *names) == 0;
	return wanted;
}

int main(int argc, char **argv)
{
	int wanted = 0, number = 0;
	bool good = true;

	skip_reason = mmap(NULL, SKIP_REASON_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	if (argc < 1 || skip_reason == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return 2;
	setenv("PATH", COMMAND_PATH, 1);
	setenv("LC_ALL", "C", 1);
	for (struct test *t = first; t; t = t->next)
		wanted += is_wanted(t, argv + 1);
	printf("1..%d\n", wanted);
	fflush(stdout);
	for (struct test *t = first; t; t = t->next)
		if (is_wanted(t, argv + 1))
			good = run(t, ++number) && good;
	return good && wanted ? 0 : 1;
}
