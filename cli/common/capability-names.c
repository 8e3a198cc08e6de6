// SPDX-License-Identifier: MIT
#include "capability-names.h"

#include <linux/capability.h>

/* The manual of idmount run has the same table. */
const struct capability_name capability_names[CAPABILITY_NAMES] = {
	{ "AUDIT_CONTROL", CAP_AUDIT_CONTROL, false },
	{ "AUDIT_READ", CAP_AUDIT_READ, false },
	{ "AUDIT_WRITE", CAP_AUDIT_WRITE, true },
	{ "BLOCK_SUSPEND", CAP_BLOCK_SUSPEND, false },
	{ "BPF", 39, false },		     /* Linux 5.8 */
	{ "CHECKPOINT_RESTORE", 40, false }, /* Linux 5.9 */
	{ "CHOWN", CAP_CHOWN, true },
	{ "DAC_OVERRIDE", CAP_DAC_OVERRIDE, true },
	{ "DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, false },
	{ "FOWNER", CAP_FOWNER, true },
	{ "FSETID", CAP_FSETID, true },
	{ "IPC_LOCK", CAP_IPC_LOCK, false },
	{ "IPC_OWNER", CAP_IPC_OWNER, false },
	{ "KILL", CAP_KILL, true },
	{ "LEASE", CAP_LEASE, false },
	{ "LINUX_IMMUTABLE", CAP_LINUX_IMMUTABLE, false },
	{ "MAC_ADMIN", CAP_MAC_ADMIN, false },
	{ "MAC_OVERRIDE", CAP_MAC_OVERRIDE, false },
	{ "MKNOD", CAP_MKNOD, true },
	{ "NET_ADMIN", CAP_NET_ADMIN, false },
	{ "NET_BIND_SERVICE", CAP_NET_BIND_SERVICE, true },
	{ "NET_BROADCAST", CAP_NET_BROADCAST, false },
	{ "NET_RAW", CAP_NET_RAW, true },
	{ "PERFMON", 38, false }, /* Linux 5.8 */
	{ "SETFCAP", CAP_SETFCAP, true },
	{ "SETGID", CAP_SETGID, true },
	{ "SETPCAP", CAP_SETPCAP, true },
	{ "SETUID", CAP_SETUID, true },
	{ "SYSLOG", CAP_SYSLOG, false },
	{ "SYS_ADMIN", CAP_SYS_ADMIN, false },
	{ "SYS_BOOT", CAP_SYS_BOOT, false },
	{ "SYS_CHROOT", CAP_SYS_CHROOT, true },
	{ "SYS_MODULE", CAP_SYS_MODULE, false },
	{ "SYS_NICE", CAP_SYS_NICE, false },
	{ "SYS_PACCT", CAP_SYS_PACCT, false },
	{ "SYS_PTRACE", CAP_SYS_PTRACE, false },
	{ "SYS_RAWIO", CAP_SYS_RAWIO, false },
	{ "SYS_RESOURCE", CAP_SYS_RESOURCE, false },
	{ "SYS_TIME", CAP_SYS_TIME, false },
	{ "SYS_TTY_CONFIG", CAP_SYS_TTY_CONFIG, false },
	{ "WAKE_ALARM", CAP_WAKE_ALARM, false },
};

const char *find_capability_name(unsigned int number)
{
	for (size_t i = 0; i < CAPABILITY_NAMES; i++)
		if (capability_names[i].number == number)
			return capability_names[i].name;
	return NULL;
}
