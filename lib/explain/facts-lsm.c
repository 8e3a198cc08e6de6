// SPDX-License-Identifier: MIT
/*
 * Whether a security module decides beside the rules of files. AppArmor, SELinux and Smack show the label
 * of a process in /proc. Landlock and BPF show nothing there.
 */
#include <string.h>

#include "facts.h"
#include "lib/sys/syscall.h"

/* Without a module the kernel answers EINVAL. What AppArmor does not confine has its own label. */
bool idm_is_confined(int label_fd)
{
	static const char unconfined[] = "unconfined";
	char label[sizeof(unconfined)];
	ssize_t n = label_fd < 0 ? 0 : idm_sys_read(label_fd, label, sizeof(label));

	if (n <= 0)
		return false;
	n -= label[n - 1] == '\n' || label[n - 1] == '\0';
	return (size_t)n != strlen(unconfined) || memcmp(label, unconfined, (size_t)n) != 0;
}
