// SPDX-License-Identifier: MIT
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- the caller's settings ---- */

/*
 * If a shell has continued this process in the background, the shell's own settings are in force and
 * stay.
 */
static bool is_in_background(void)
{
	pid_t foreground = tcgetpgrp(STDIN_FILENO);

	return foreground >= 0 && foreground != getpgrp();
}

/*
 * TCSANOW, because a wait until all output has been written might never end. The terminal treats output
 * by the settings at the moment of the write, not of the display.
 */
static void make_raw(struct terminal *t)
{
	struct termios raw = t->before;

	cfmakeraw(&raw);
	t->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void terminal_begin(struct terminal *t, int master)
{
	int flags;

	*t = (struct terminal){ .master = master, .more_typed = master >= 0 };
	t->from.own = t->to.own = -1;
	if (master < 0)
		return;
	/* No other process has this file description. */
	flags = fcntl(master, F_GETFL);
	fcntl(master, F_SETFL, flags | O_NONBLOCK);
	nonblock_begin(&t->from, STDIN_FILENO, O_RDONLY);
	nonblock_begin(&t->to, STDOUT_FILENO, O_WRONLY);
	if (tcgetattr(STDIN_FILENO, &t->before) == 0)
		make_raw(t);
}

void terminal_leave(struct terminal *t)
{
	if (t->raw && !is_in_background())
		tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
}

void terminal_return(struct terminal *t)
{
	if (t->raw && !is_in_background())
		make_raw(t);
	terminal_resize(t);
}

void terminal_end(struct terminal *t)
{
	terminal_leave(t);
	t->raw = false;
	nonblock_end(&t->from);
	nonblock_end(&t->to);
}

void terminal_resize(const struct terminal *t)
{
	struct winsize size;

	if (t->master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(t->master, TIOCSWINSZ, &size);
}

/* ---- typed data ---- */

/* At the end of input that is not a terminal, the program gets the end character that Ctrl-D sends. */
static void type_end(struct terminal *t)
{
	struct termios settings;

	t->more_typed = false;
	t->typed = (struct flow){ .data = { 4 }, .n = 1 };
	if (tcgetattr(t->master, &settings) == 0)
		t->typed.data[0] = (char)settings.c_cc[VEOF];
}

static bool is_to_be_repeated(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void read_typed(struct terminal *t)
{
	ssize_t n = nonblock_read(&t->from, t->typed.data, sizeof(t->typed.data));

	if (is_to_be_repeated(n))
		return;
	if (n <= 0) {
		type_end(t);
		return;
	}
	t->typed.at = 0;
	t->typed.n = (size_t)n;
}

/* `n` is the result of write(). */
static void written(struct flow *flow, ssize_t n)
{
	flow->at += (size_t)n;
	flow->n -= (size_t)n;
}

static void write_typed(struct terminal *t)
{
	ssize_t n = write(t->master, t->typed.data + t->typed.at, t->typed.n);

	if (is_to_be_repeated(n))
		return;
	written(&t->typed, n < 0 ? (ssize_t)t->typed.n : n);
}

/* ---- output of the program ---- */

/* Returns false if no data is there at the moment. */
static bool read_output(struct terminal *t)
{
	ssize_t n = read(t->master, t->output.data, sizeof(t->output.data));

	if (n > 0) {
		t->output.at = 0;
		t->output.n = (size_t)n;
	} else if (!is_to_be_repeated(n)) {
		t->closed = true;
	}
	return n > 0;
}

/* While standard output accepts nothing more, the program can still write, and exit. */
static void write_output(struct terminal *t)
{
	ssize_t n = nonblock_write(&t->to, t->output.data + t->output.at, t->output.n);

	if (is_to_be_repeated(n))
		return;
	if (n < 0)
		t->error = errno;
	written(&t->output, n < 0 ? (ssize_t)t->output.n : n);
}

bool terminal_has_output(struct terminal *t, size_t *left)
{
	while (t->master >= 0 && !t->closed && !t->output.n && *left && read_output(t)) {
		*left -= t->output.n < *left ? t->output.n : *left;
		if (t->error)
			t->output.n = 0;
	}
	return t->output.n > 0;
}

/* ---- both ---- */

enum { MASTER, FROM, TO };

static struct pollfd make_pollfd(int fd, short events)
{
	/* Without events poll() would still report POLLHUP, again and again. */
	return (struct pollfd){ .fd = events ? fd : -1, .events = events };
}

void terminal_expect(const struct terminal *t, struct pollfd fds[TERMINAL_SOURCES])
{
	short in = t->master >= 0 && !t->closed && !t->output.n ? POLLIN : 0;
	short out = t->typed.n ? POLLOUT : 0;

	fds[MASTER] = make_pollfd(t->master, (short)(in | out));
	fds[FROM] = make_pollfd(STDIN_FILENO, t->more_typed && !t->typed.n ? POLLIN : 0);
	fds[TO] = make_pollfd(STDOUT_FILENO, t->output.n ? POLLOUT : 0);
}

void terminal_serve(struct terminal *t, const struct pollfd fds[TERMINAL_SOURCES])
{
	if (fds[MASTER].revents & ~POLLOUT && !t->output.n && !t->closed)
		read_output(t);
	if (fds[MASTER].revents & ~POLLIN && t->typed.n)
		write_typed(t);
	if (fds[FROM].revents)
		read_typed(t);
	if (fds[TO].revents)
		write_output(t);
	if (t->error)
		t->output.n = 0;
}
