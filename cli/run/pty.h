/* SPDX-License-Identifier: MIT */
/*
 * The caller's terminal is on one side, the program's on the other. No function here waits. Data that
 * one side does not accept yet is kept. The other side is not read before that data has been written.
 */
#ifndef IDM_CLI_RUN_PTY_H
#define IDM_CLI_RUN_PTY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "nonblock.h"

/* The data read on one side and not yet written on the other. */
struct flow {
	char data[4096];
	size_t at, n;
};

struct terminal {
	int master;		  /* the program's; -1: none */
	struct nonblock from, to; /* standard input and output */
	struct flow typed, output;
	bool more_typed; /* standard input may still have data */
	bool closed;	 /* the program's terminal has no more data */
	int error;	 /* why standard output accepts nothing more, or 0 */
	bool raw;	 /* the caller's is to be restored */
	struct termios before;
};

/* Makes the caller's terminal pass everything on as it is typed. */
void terminal_begin(struct terminal *t, int master);
void terminal_end(struct terminal *t);

/* While another program has the caller's terminal, its settings are those from before. */
void terminal_leave(struct terminal *t);
void terminal_return(struct terminal *t);

/* Sets the size of the program's terminal to that of the caller's. */
void terminal_resize(const struct terminal *t);

/* terminal_expect() fills in the events to wait for, and terminal_serve() handles those that came. */
#define TERMINAL_SOURCES 3
void terminal_expect(const struct terminal *t, struct pollfd fds[TERMINAL_SOURCES]);
void terminal_serve(struct terminal *t, const struct pollfd fds[TERMINAL_SOURCES]);

/*
 * After the program has exited: returns whether data for standard output is left. Reads at most *left
 * more bytes, since other processes can continue to write for ever.
 */
bool terminal_has_output(struct terminal *t, size_t *left);

#endif
