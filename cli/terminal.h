/* SPDX-License-Identifier: MIT */
/* The caller's terminal on one side, the program's on the other. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
	int master; /* the program's; -1: none */
	bool input; /* there is still something to come from standard input */
	bool raw;   /* the caller's is to be restored */
	struct termios before;
};

/* Makes the caller's terminal pass everything on as it is typed. */
void terminal_begin(struct terminal *t, int master);
void terminal_end(struct terminal *t);

/* The program's terminal takes the caller's size. */
void terminal_resize(const struct terminal *t);

/* Copies what is there; false: nothing will come any more. */
bool terminal_copy_in(struct terminal *t);
bool terminal_copy_out(struct terminal *t);

#endif
