// SPDX-License-Identifier: MIT
#include "terminal.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

void terminal_begin(struct terminal *t, int master)
{
	struct termios raw;

	*t = (struct terminal){ .master = master, .input = master >= 0 };
	if (master < 0 || tcgetattr(STDIN_FILENO, &t->before) < 0)
		return;
	raw = t->before;
	cfmakeraw(&raw);
	t->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void terminal_end(struct terminal *t)
{
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
	t->raw = false;
}

void terminal_resize(const struct terminal *t)
{
	struct winsize size;

	if (t->master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(t->master, TIOCSWINSZ, &size);
}

static bool write_all(int fd, const char *buf, ssize_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, buf, (size_t)n);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			buf += written;
			n -= written;
		}
	}
	return true;
}

static bool copy(int from, int to)
{
	char buf[4096];
	ssize_t n;

	do
		n = read(from, buf, sizeof(buf));
	while (n < 0 && errno == EINTR);
	return n > 0 && write_all(to, buf, n);
}

/* At the end of what is not a terminal the program gets what Ctrl-D sends at the end of one. */
bool terminal_copy_in(struct terminal *t)
{
	struct termios settings;
	char end = 4;

	if (copy(STDIN_FILENO, t->master))
		return true;
	t->input = false;
	if (tcgetattr(t->master, &settings) == 0)
		end = (char)settings.c_cc[VEOF];
	write_all(t->master, &end, 1);
	return false;
}

bool terminal_copy_out(struct terminal *t)
{
	return copy(t->master, STDOUT_FILENO);
}
