/* SPDX-License-Identifier: MIT */
/*
 * The caller's terminal on one side, the program's on the other. Nothing here waits: what one side does
 * not take yet is kept, and the other side is not read before it is gone.
 */
#ifndef IDM_CLI_RUN_PTY_H
#define IDM_CLI_RUN_PTY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "nonblock.h"

/* What has been read on one side, and not been written on the other. */
struct flow {
	char data[4096];
	size_t at, n;
};

struct terminal {
	int master;		  /* the program's; -1: none */
	struct nonblock from, to; /* standard input and output */
	struct flow typed, output;
	bool more_typed; /* there is still something to come from standard input */
	bool closed;	 /* nothing comes from the program's any more */
	int error;	 /* why standard output accepts nothing more, or 0 */
	bool raw;	 /* the caller's is to be restored */
	struct termios before;
};

/* Makes the caller's terminal pass everything on as it is typed. */
void terminal_begin(struct terminal *t, int master);
void terminal_end(struct terminal *t);

/* While another program has the caller's terminal it is as it was before. */
void terminal_leave(struct terminal *t);
void terminal_return(struct terminal *t);

/* Gives the program's terminal the caller's size. */
void terminal_resize(const struct terminal *t);

/* What there is to wait for, and what is done when it has come. */
#define TERMINAL_SOURCES 3
void terminal_expect(const struct terminal *t, struct pollfd fds[TERMINAL_SOURCES]);
void terminal_serve(struct terminal *t, const struct pollfd fds[TERMINAL_SOURCES]);

/*
 * When the program has ended: whether there is still something for standard output. At most *left bytes
 * more are read, since other processes can go on writing for ever.
 */
bool terminal_has_output(struct terminal *t, size_t *left);

#endif
