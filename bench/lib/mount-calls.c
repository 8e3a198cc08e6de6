// SPDX-License-Identifier: MIT
#include "mount-calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "measure.h"

#ifndef SYS_statmount
#define SYS_statmount 457 /* Linux 6.8 */
#endif
#ifndef SYS_listmount
#define SYS_listmount 458
#endif
#define STATX_UNIQUE_ID 0x4000U /* STATX_MNT_ID_UNIQUE, Linux 6.8 */

/* struct mnt_id_req of <linux/mount.h>, in its first version. */
struct request {
	uint32_t size, spare;
	uint64_t id, param;
};

size_t call_listmount(uint64_t below, uint64_t *ids, size_t n)
{
	struct request request = { .size = sizeof(request), .id = below };

	return (size_t)check(syscall(SYS_listmount, &request, ids, n, 0), "listmount");
}

int call_statmount(uint64_t id, uint64_t what, void *answer, size_t size)
{
	struct request request = { .size = sizeof(request), .id = id, .param = what };

	return (int)syscall(SYS_statmount, &request, answer, size, 0);
}

uint64_t find_mount_id(int dirfd, const char *path)
{
	struct statx st;

	check(statx(dirfd, path, AT_EMPTY_PATH, STATX_UNIQUE_ID, &st), "statx");
	return st.stx_mnt_id;
}
