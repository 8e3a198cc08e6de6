// SPDX-License-Identifier: MIT
/* Part of the executor: limits of the child. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/statfs.h>

#include "executor.h"
#include "lib/sys/audit-arch.h"

/* On 32-bit machines struct statfs of 64-bit offsets has a call of its own. */
static long query_filesystem(long fd, struct statfs *fs)
{
#if defined(__i386__) || defined(__arm__)
	return raw(SYS_fstatfs64, fd, sizeof(*fs), fs);
#else
	return raw(SYS_fstatfs, fd, fs);
#endif
}

/* Prefers a procfs of the child's own, which is certain to be writable. */
static long find_procfs(struct idm_request *request)
{
	const struct idm_request_mount *mounts = idm_request_array(request, request->mounts);
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	struct statfs fs;

	for (uint32_t i = 0; i < request->n_mounts; i++)
		if (mounts[i].fstype && mounts[i].tree >= 0 &&
		    query_filesystem(mounts[i].tree, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
			return raw(SYS_openat2, mounts[i].tree, ".", &how, sizeof(how));
	return raw(SYS_openat2, AT_FDCWD, "/proc", &how, sizeof(how));
}

/*
 * In every procfs this file is the one of the writer's user namespace. The old root's /proc is still
 * mounted, or that of the staging namespace.
 */
long idm_child_limit_userns(struct idm_request *request)
{
	struct open_how how = { .flags = O_WRONLY | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_BENEATH };
	struct statfs fs;
	long proc, fd, r;

	if (!(request->flags & IDM_REQUEST_LIMIT_USERNS))
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_LIMIT_USERNS, 0, 0);
	proc = find_procfs(request);
	if (proc < 0)
		return proc;
	fd = raw(SYS_openat2, proc, "sys/user/max_user_namespaces", &how, sizeof(how));
	raw(SYS_close, proc);
	if (fd < 0)
		return fd;
	r = query_filesystem(fd, &fs);
	if (r == 0)
		r = fs.f_type == PROC_SUPER_MAGIC ? raw(SYS_write, fd, "0", 1) : -EXDEV;
	raw(SYS_close, fd);
	return r < 0 ? r : 0;
}

/*
 * Creates an empty session keyring: the program could read and change keys in the caller's. If a filter
 * refuses keyctl(2), it also applies to the program.
 */
long idm_child_new_keyring(struct idm_request *request)
{
	long r;

	if (!(request->flags & IDM_REQUEST_KEYRING))
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_KEYRING, 0, 0);
	r = raw(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);
	return r >= 0 || r == -ENOSYS || r == -EPERM ? 0 : r;
}

/*
 * On all architectures the numbers of add_key, request_key and keyctl are adjacent. OTHER_ARCH has the
 * other word size. A program can use its calls, too, if the kernel has 64 bits.
 */
#if defined(__x86_64__)
#define OTHER_ARCH AUDIT_ARCH_I386
#define OTHER_ADD_KEY 286
#elif defined(__i386__)
#define OTHER_ARCH AUDIT_ARCH_X86_64
#define OTHER_ADD_KEY 248
#elif defined(__aarch64__)
#define OTHER_ARCH AUDIT_ARCH_ARM
#define OTHER_ADD_KEY 309
#elif defined(__arm__)
#define OTHER_ARCH AUDIT_ARCH_AARCH64
#define OTHER_ADD_KEY 217
#elif defined(__s390x__)
#define OTHER_ARCH AUDIT_ARCH_S390
#define OTHER_ADD_KEY 278
#else
#define OTHER_ARCH 0
#define OTHER_ADD_KEY 0
#endif
#define X32 0x40000000U /* set in numbers of the x32 calls of x86_64 */

/*
 * Refuses the keyring calls. A key belongs to a user ID, and its serial number is valid in every user
 * namespace. If the child has an ID of the host, its own session keyring does not protect that user's
 * other keys. The calls fail with ENOSYS, like in a kernel without keyrings.
 */
static long refuse_keyrings(void)
{
	static const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IDM_AUDIT_ARCH, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_add_key, 0, 7),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_keyctl, 6, 5),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OTHER_ARCH, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_ADD_KEY, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, OTHER_ADD_KEY + 2, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]),
					    (struct sock_filter *)filter };

	return raw(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

long idm_child_refuse_keyrings(struct idm_request *request)
{
	if (!(request->flags & IDM_REQUEST_NO_KEYRINGS))
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_SECCOMP, 0, 0);
	return refuse_keyrings();
}

/*
 * Does both while the assembler works, since the kernel compiles a filter. The report belongs to the
 * assembler at this time: the later step repeats what fails here, and reports it. An init has the same
 * limits as its program.
 */
void idm_child_limit_keyrings_early(struct idm_request *request)
{
	if (request->flags & IDM_REQUEST_KEYRING && raw(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0) >= 0)
		request->flags &= ~IDM_REQUEST_KEYRING;
	if (!(request->flags & IDM_REQUEST_KEYRING) && request->flags & IDM_REQUEST_NO_KEYRINGS &&
	    refuse_keyrings() == 0)
		request->flags &= ~IDM_REQUEST_NO_KEYRINGS;
}
