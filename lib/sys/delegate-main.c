// SPDX-License-Identifier: MIT
/*
 * The program of a delegate: see delegate.h. All that can fail comes before the work; then the caller
 * does it another way. While it works it holds a lock on its request, by which the caller can wait for
 * it.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>

#include "delegate-request.h"
#include "raw-syscall.h"

static struct idm_delegate_request *map_request(void)
{
	uint64_t size;
	long r = idm_raw_map_file(IDM_DELEGATE_REQUEST_FD, &size);

	if (idm_raw_map_failed(r))
		idm_raw_exit(1);
	return (struct idm_delegate_request *)r;
}

/*
 * execve(2) returns capabilities to root that the caller may have dropped. Other users keep the ambient
 * ones only.
 */
static long restore_capabilities(const struct idm_delegate_request *request)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	for (int i = 0; i < 2; i++) {
		caps[i].effective = (uint32_t)(request->effective >> 32 * i);
		caps[i].permitted = (uint32_t)(request->permitted >> 32 * i);
		caps[i].inheritable = (uint32_t)(request->inheritable >> 32 * i);
	}
	return raw(SYS_capset, &header, caps);
}

void idm_raw_main(const uintptr_t *stack)
{
	struct flock lock = { .l_type = F_WRLCK };
	struct idm_delegate_request *request;

	(void)stack;
	/* A process in a user namespace that it joins may have CAP_SYS_PTRACE there. */
	raw(SYS_prctl, PR_SET_DUMPABLE, 0);
	raw(SYS_prctl, PR_SET_NAME, "idm-delegate");
	request = map_request();
	if (raw(SYS_fcntl, IDM_DELEGATE_REQUEST_FD, F_SETLK, &lock) < 0 ||
	    __atomic_load_n(&request->cancelled, __ATOMIC_ACQUIRE) || restore_capabilities(request) < 0)
		idm_raw_exit(1);
	idm_delegate_do_work(request, IDM_DELEGATE_OPERAND_FD);
	/*
	 * A process that exits loses its memory first. Without a memory the kernel lets it be traced as
	 * if it were dumpable. So there is nothing to take from it by then. The request's lock comes
	 * last.
	 */
	raw(SYS_close, IDM_DELEGATE_OPERAND_FD);
	raw(SYS_close, IDM_DELEGATE_REQUEST_FD);
	idm_raw_exit(0);
}
