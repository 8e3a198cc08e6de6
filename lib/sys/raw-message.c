// SPDX-License-Identifier: MIT
#include "raw-message.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>

#include "raw-syscall.h"

union ancillary {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * IDM_SEND_FDS)];
};

/* Whether it is worth another try; and a pause before that. */
static bool pause_before_retry(long r, int tries)
{
	static const struct timespec pause = { .tv_nsec = 10000000 };

	if (r == -EINTR)
		return true;
	if ((r != -ENOMEM && r != -ENOBUFS) || tries >= 100)
		return false;
	raw(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, 0);
	return true;
}

static void copy_numbers(int *to, const int *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
}

ssize_t idm_raw_send(int fd, const void *buf, size_t size, const int *fds, size_t n_fds)
{
	struct iovec data = { (void *)buf, size };
	union ancillary a;
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	long r;

	if (n_fds) {
		a.header = (struct cmsghdr){ .cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n_fds),
					     .cmsg_level = SOL_SOCKET,
					     .cmsg_type = SCM_RIGHTS };
		copy_numbers((int *)(void *)CMSG_DATA(&a.header), fds, n_fds);
		message.msg_control = &a;
		message.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n_fds);
	}
	for (int tries = 0; pause_before_retry(r = raw(SYS_sendmsg, fd, &message, MSG_NOSIGNAL), tries);
	     tries++)
		;
	return r;
}

ssize_t idm_raw_receive(int fd, void *buf, size_t size, int fds[IDM_SEND_FDS], size_t *n_fds)
{
	struct iovec data = { buf, size };
	union ancillary a;
	struct msghdr message;
	long r;

	for (int tries = 0;; tries++) {
		message = (struct msghdr){
			.msg_iov = &data, .msg_iovlen = 1, .msg_control = &a, .msg_controllen = sizeof(a)
		};
		r = raw(SYS_recvmsg, fd, &message, MSG_CMSG_CLOEXEC);
		if (!pause_before_retry(r, tries))
			break;
	}
	*n_fds = 0;
	if (r >= 0 && message.msg_controllen >= sizeof(a.header) && a.header.cmsg_level == SOL_SOCKET &&
	    a.header.cmsg_type == SCM_RIGHTS) {
		*n_fds = (a.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
		copy_numbers(fds, (const int *)(const void *)CMSG_DATA(&a.header), *n_fds);
	}
	return r;
}
