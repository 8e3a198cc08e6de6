/* SPDX-License-Identifier: MIT */
/*
 * The base of all tests. A test program is a file of TEST()s that is linked with this library, which
 * has main():
 *
 *	#include "test.h"
 *
 *	TEST(neighbours_are_merged)
 *	{
 *		assert_int_equal(1 + 1, 2);
 *	}
 *
 * Every test runs in a process of its own: it may unshare, chroot, give up privileges, or crash. An
 * assertion that fails, in whatever thread or forked child, ends its process; so all of them can be used
 * everywhere. After a test that passed, the runner makes sure that it left no descriptor open and no
 * process behind, zombies included.
 *
 * Called with names, a program runs those tests only. Output is TAP.
 */
#ifndef IDM_LIB_TEST_H
#define IDM_LIB_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "idmount.h"

struct test {
	const char *name;
	void (*run)(void);
	int seconds;
	unsigned int since[2];
	void (*before)(void);
	struct test *next;
};

void test_register(struct test *test);

/*
 * Of real time; a test that takes longer has failed. More under sanitizers, and IDM_PATIENCE times as
 * much if that is in the environment: for machines that are emulated, or have much else to do.
 */
#define TEST_SECONDS 60

/*
 * The seconds that a test without an end of its own runs: `usually`, or IDM_DURATION (at most 600) from
 * the environment. The test's own limit has that time in addition.
 */
int test_duration(int usually);

/*
 * Whether the long form is asked for, which may take minutes: ./test.sh --long, or IDM_LONG=1 in the
 * environment. Each test may take an hour then.
 */
bool test_is_long(void);

#define TEST(name) TEST_WITHIN(name, TEST_SECONDS)
#define TEST_WITHIN(name, seconds) TEST_AS(name, seconds, 0, 0, NULL)

/*
 * A test of what came with Linux MAJOR.MINOR. On older kernels `before`, a function without arguments,
 * is run in its place: what is expected there, as a rule a refusal that names that kernel.
 */
#define TEST_SINCE(major, minor, before, name) TEST_AS(name, TEST_SECONDS, major, minor, before)
#define TEST_ANYWHERE(name) TEST_AS(name, TEST_SECONDS, 0, 0, NULL)

#define TEST_AS(name, seconds, major, minor, before)                                \
	static void test_##name(void);                                              \
	__attribute__((constructor)) static void register_##name(void)              \
	{                                                                           \
		static struct test test_ = {                                        \
			#name, test_##name, seconds, { major, minor }, before, NULL \
		};                                                                  \
		test_register(&test_);                                              \
	}                                                                           \
	static void test_##name(void)

/* Whether a sanitizer slows us down: fewer rounds, then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

/* The same, or valgrind or an emulated machine does (IDM_SLOW=1 in the environment). */
bool test_is_slow(void);

/* A line for who reads the log. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * What has been tried for a proof, "proof-NAME" in tests/meson.build: so many of what. For the table at
 * the end of ./test.sh, where those of the same NAME and WHAT are added up.
 */
void proof(const char *name, unsigned long tried, const char *what);

/*
 * For the `before` of a test whose surroundings, not the library, need a newer kernel: that nothing is
 * tried is said, by a line that is looked for. docs/kernels.md has the reason after "Before Linux N,".
 */
void untried(const char *why);

/* The test cannot be run here. With IDM_MUST_RUN=1 in the environment, that is a failure. */
void skip_test(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void need_root(void);
void need_command(const char *name);

/* The options of idm_tree_open() for what a descriptor refers to. */
#define ITSELF                                                                      \
	(&(const struct idm_tree_options){ .size = sizeof(struct idm_tree_options), \
					   .flags = IDM_TREE_EMPTY_PATH })

/* The options of idm_tree_attach(). */
#define ATTACH(flags_, propagation_)                                                    \
	(&(const struct idm_attach_options){ .size = sizeof(struct idm_attach_options), \
					     .flags = (flags_),                         \
					     .propagation = (propagation_) })

/* PART(err, reason): that part of the message, as a string. The next three uses in this thread leave it.
 */
#define PART(err, part) part_of(&(err), (err).part)
const char *part_of(const struct idm_error *err, struct idm_error_range part);

/*
 * Runs `body` in a forked child, and fails or skips with it. For what would spoil the rest of the test,
 * or the sanitizers at its end: they look at /proc when a process exits, but not after these.
 */
void in_child(void (*body)(void *), void *arg);

/* Waits for a forked child to end, and fails or skips with it. */
void await_child(pid_t pid);

/* ---- assertions ---- */

void fail_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));
void assert_int_at(const char *file, int line, const char *what, long long actual, bool equal,
		   long long expected);
void assert_string_at(const char *file, int line, const char *what, const char *actual,
		      const char *expected);
void assert_contains_at(const char *file, int line, const char *what, const char *actual,
			const char *part);
void assert_ok_at(const char *file, int line, const char *what, long r, const struct idm_error *err);
void assert_error_at(const char *file, int line, const char *what, long r, int code,
		     const struct idm_error *err, const char *subject, const char *step,
		     const char *reason);

#define HERE __FILE__, __LINE__

#define fail_msg(...) fail_at(HERE, __VA_ARGS__)
#define assert_true(condition) ((condition) ? (void)0 : fail_at(HERE, "not true: %s", #condition))
#define assert_false(condition) (!(condition) ? (void)0 : fail_at(HERE, "true: %s", #condition))
#define assert_non_null(pointer) ((pointer) ? (void)0 : fail_at(HERE, "NULL: %s", #pointer))
#define assert_null(pointer) (!(pointer) ? (void)0 : fail_at(HERE, "not NULL: %s", #pointer))
#define assert_int_equal(actual, expected) assert_int_at(HERE, #actual, actual, true, expected)
#define assert_int_not_equal(actual, other) assert_int_at(HERE, #actual, actual, false, other)
#define assert_string_equal(actual, expected) assert_string_at(HERE, #actual, actual, expected)
#define assert_contains(actual, part) assert_contains_at(HERE, #actual, actual, part)

/* A system call of the test's own that must not fail; returns its result. */
#define must(call)                                                       \
	({                                                               \
		long r_ = (long)(call);                                  \
		if (r_ == -1)                                            \
			fail_at(HERE, "%s: %s", #call, strerror(errno)); \
		r_;                                                      \
	})

/* A call of the library that must succeed; returns its result. Prints the error if it fails. */
#define assert_ok(call, err)                         \
	({                                           \
		long ok_ = (long)(call);             \
		assert_ok_at(HERE, #call, ok_, err); \
		ok_;                                 \
	})

/*
 * A call of the library that must fail with `code` (negative). Subject, step and reason contain the
 * texts. NULL: not checked; "": must be empty. The rules for every error are checked too: the errno, a
 * reason, and a message of one complete line that contains all parts.
 */
#define assert_error(call, code, err, subject, step, reason) \
	assert_error_at(HERE, #call, (long)(call), code, err, subject, step, reason)

/* ---- random numbers, the same in every run ---- */

/*
 * IDM_SEED from the environment, else 1. It is printed. Generators with different `stream`s are
 * independent of each other.
 */
struct rng {
	uint64_t state;
};

struct rng rng_new(uint64_t stream);
uint64_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t bound); /* 0 to bound - 1 */

#endif
