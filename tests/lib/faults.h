/* SPDX-License-Identifier: MIT */
/*
 * Every system call of an operation fails once, or is the last thing that its process does.
 *
 * The operation runs in a child, below a seccomp filter that hands each call to the test. The test
 * counts them, and answers one: with an errno that this call can return, or by killing the caller. Then
 * it checks. The operation has reported the failure, and everything is as before. Or it has succeeded
 * anyway, since it retries interrupted calls and has fallbacks; then the result is checked as usual. The
 * filter holds for the short-lived children too.
 *
 * Not handed over, hence not covered:
 *  - calls that do not fail, or whose failure says nothing: exit, getpid, umask, rt_sigprocmask, munmap,
 *    prctl with what is used of it, fcntl(F_GETFD), reading the clock; close(2), which closes also when
 * it says that it failed;
 *  - brk, without which malloc(3) uses mmap; mmap and mprotect under sanitizers, which could not go on;
 *  - futex, of which libc's locks want no other answer than the kernel's;
 *  - errnos that state facts (ENOENT, EEXIST, ESRCH, ECHILD, EBADF, ...): the kernel does not return
 *    them without cause. Other tests create the cause and test these;
 *  - of programs, the dynamic loader before main(), and the calls of a program that idmount has started;
 *  - two failures in one operation.
 */
#ifndef IDM_LIB_FAULTS_H
#define IDM_LIB_FAULTS_H

#include <stdbool.h>

#include "test.h"

enum outcome {
	FAULT_REFUSED, /* it has said what failed */
	FAULT_DONE,    /* it has succeeded */
	FAULT_KILLED   /* its process was killed */
};

struct operation {
	const char *name;
	/* In the test's process, before each run: makes what the operation uses up. After a refusal it
	 * still exists. */
	void (*prepare)(void);
	/* The operation, in a child. Returns 0 or more, or -errno with *err. NULL: argv is the
	 * operation. */
	int (*go)(struct idm_error *err);
	/* In that child, if it succeeded: whether the result is right. Frees it. */
	void (*check)(int result);
	const char *const *argv;
	/*
	 * In the test's process, afterwards: checks what is left, and removes it where that is right,
	 * until all is as it was before prepare().
	 */
	void (*finish)(enum outcome outcome);
	bool partly; /* it is not done in one step: a refusal can leave it half done */
	/* The name of a program whose calls are its own affair. */
	const char *ignore;
	/* Only these calls, the last one 0; NULL: all. For what another operation has in common. */
	const int *only;
};

/* A test of a thousand runs and more, of which each has its own limit of time. */
#define TEST_OF_RUNS(name) TEST_WITHIN(name, 5 * TEST_SECONDS)
#define TEST_OF_RUNS_SINCE(major, minor, before, name) \
	TEST_AS(name, 5 * TEST_SECONDS, major, minor, before)

/* Enters scratch surroundings for the runs. */
void faults_enter(void);

/* Each system call fails, once with each errno (--long), or with one after the other of them. */
void faults_survived(const struct operation *op);

/* At each system call its process is killed, and the operation's if that is another. */
void kills_survived(const struct operation *op);

/* In check(): whether it is a kill that the operation has survived. */
bool faults_are_kills(void);

/* In finish(): the errno that was given, 0 if none was. */
int faults_error(void);

/* What the command has written to standard output, in finish(). */
const char *faults_output(void);

#endif
