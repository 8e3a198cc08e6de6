/* SPDX-License-Identifier: MIT */
/*
 * Every system call of an operation fails once, or is the last thing that its process does.
 *
 * The operation runs in a child, below a seccomp filter that hands each call to the test. The test
 * counts them, and answers one: with an errno that this call can give, or by killing whoever makes it.
 * Then it looks: either the operation has said what failed, and everything is as before, or it has
 * succeeded in spite of it (it repeats what was interrupted, and has other ways to some ends), and then
 * the result is looked at as if nothing had happened. The filter holds for the short-lived children too.
 *
 * Not handed over, hence not covered:
 *  - calls that do not fail, or whose failure says nothing: exit, getpid, umask, rt_sigprocmask, munmap,
 *    prctl with what is used of it, fcntl(F_GETFD), reading the clock; close(2), which closes also when
 * it says that it failed;
 *  - brk, without which malloc(3) takes mmap; mmap and mprotect under sanitizers, which could not go on;
 *  - futex, of which libc's locks want no other answer than the kernel's;
 *  - errnos that say how things are (ENOENT, EEXIST, ESRCH, ECHILD, EBADF, ...): nothing fails with
 *    those, the kernel would have to lie. What is done about them is tested where they are true;
 *  - of programs, the dynamic loader before main(), and what a program does that idmount has started;
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
	/* In the test's process, before each run: makes what is used up. If it is refused, that is still
	 * there. */
	void (*prepare)(void);
	/* What is tried, in a child: 0 or more, or -errno and why. NULL: the command is. */
	int (*go)(struct idm_error *err);
	/* In that child, if it succeeded: whether the result is right. Lets go of it. */
	void (*check)(int result);
	const char *const *argv;
	/*
	 * In the test's process, afterwards: looks at what is left, and takes it away where that is
	 * right, until all is as it was before prepare().
	 */
	void (*finish)(enum outcome outcome);
	bool partly; /* it is not done in one step: a refusal can leave it half done */
	/* The name of a program whose calls are its own affair. */
	const char *ignore;
	/* Only these calls, the last one 0; NULL: all. For what another operation has in common. */
	const int *only;
};

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
