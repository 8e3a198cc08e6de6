// SPDX-License-Identifier: MIT
/* System calls that wait, and what they wait for. */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "syscall-numbers.h"
#include "syscall-result.h"
#include "syscall.h"

int idm_sys_poll(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r = (int)CALL(poll(&p, 1, 0));

	return r < 0 ? r : p.revents;
}

void idm_sys_deadline(struct timespec *deadline, int timeout_ms)
{
	clock_gettime(CLOCK_MONOTONIC, deadline);
	deadline->tv_sec += timeout_ms / 1000;
	deadline->tv_nsec += timeout_ms % 1000 * 1000000L;
	if (deadline->tv_nsec >= 1000000000L) {
		deadline->tv_nsec -= 1000000000L;
		deadline->tv_sec++;
	}
}

/* What is left of the time; nothing once it is over. */
static struct timespec get_time_left(const struct timespec *deadline)
{
	struct timespec left;

	clock_gettime(CLOCK_MONOTONIC, &left);
	left.tv_sec = deadline->tv_sec - left.tv_sec;
	left.tv_nsec = deadline->tv_nsec - left.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_nsec += 1000000000L;
		left.tv_sec--;
	}
	if (left.tv_sec < 0)
		left = (struct timespec){ 0 };
	return left;
}

#if defined(__i386__) || defined(__arm__)
#ifdef IDM_TIME64
#define TIME_SIZE 8
#else
#define TIME_SIZE 4
#endif
_Static_assert(sizeof(((struct timespec *)0)->tv_sec) == TIME_SIZE, "syscall-numbers.h knows the size of times");
#endif

/* Not nanosleep(2) and ppoll(2) of libc, which are places where a thread can be cancelled. */
void idm_sys_sleep(unsigned int milliseconds)
{
	struct timespec t = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	CALL(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL));
}

int idm_sys_poll_until(int fd, short events, const struct timespec *deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int saved = errno;
	long r;

	do {
		struct timespec left = deadline ? get_time_left(deadline) : (struct timespec){ 0 };

		r = syscall(SYS_ppoll, &p, 1, deadline ? &left : NULL, NULL, 0);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		r = -errno;
	if (errno != saved)
		errno = saved;
	return (int)r;
}

void idm_sys_futex_wait(const uint32_t *word, uint32_t value)
{
	CALL(syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0));
}

void idm_sys_futex_wait_ms(const uint32_t *word, uint32_t value, unsigned int milliseconds)
{
	struct timespec t = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	CALL(syscall(SYS_futex, word, FUTEX_WAIT, value, &t, NULL, 0));
}

void idm_sys_futex_wake(const uint32_t *word)
{
	CALL(syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0));
}

int idm_sys_epoll_create(void)
{
	return (int)CALL(epoll_create1(EPOLL_CLOEXEC));
}

int idm_sys_epoll_add(int epoll, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	return (int)CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

int idm_sys_epoll_again(int epoll, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	return (int)CALL(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event));
}

int idm_sys_epoll_delete(int epoll, int fd)
{
	return (int)CALL(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL));
}

int idm_sys_epoll_take(int epoll, void **data)
{
	struct epoll_event event;
	int r = (int)CALL(epoll_wait(epoll, &event, 1, 0));

	if (r > 0)
		*data = event.data.ptr;
	return r;
}

int idm_sys_signalfd(uint64_t signals)
{
	return (int)CALL(syscall(SYS_signalfd4, -1, &signals, sizeof(signals), O_CLOEXEC | O_NONBLOCK));
}

int idm_sys_eventfd(void)
{
	return (int)CALL(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

int idm_sys_pipe(int fds[2])
{
	return (int)CALL(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
}

int idm_sys_socketpair(int fds[2])
{
	return (int)CALL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
}

int idm_sys_packet_socket(void)
{
	return (int)CALL(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}

/* How long calls on the socket may block. A time of 0 would be no limit. */
static void limit_time(int fd, const struct timespec *deadline)
{
	struct timespec left = get_time_left(deadline);
	struct timeval time = { .tv_sec = left.tv_sec, .tv_usec = left.tv_nsec / 1000 | 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

/* The time left is set anew for each try, so a timer of the caller's cannot prolong it for ever. */
int idm_sys_connect_unix(int fd, const char *path, const struct timespec *deadline)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	int saved = errno, r;

	if (n >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, n);
	do {
		limit_time(fd, deadline);
		r = connect(fd, (const struct sockaddr *)&to, sizeof(to));
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		r = errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (errno != saved)
		errno = saved;
	return r;
}

/* Appends a control message, and returns the space that all of them need. */
static size_t append_control(char *control, size_t used, int type, const void *data, size_t size)
{
	const struct cmsghdr header = { .cmsg_len = (socklen_t)CMSG_LEN(size),
					.cmsg_level = SOL_SOCKET,
					.cmsg_type = type };

	memcpy(control + used, &header, sizeof(header));
	memcpy(control + used + CMSG_LEN(0), data, size);
	return used + CMSG_SPACE(size);
}

int idm_sys_send_packet(int fd, const struct idm_packet *packet)
{
	char control[CMSG_SPACE(sizeof(packet->fds)) + CMSG_SPACE(sizeof(struct ucred))] = { 0 };
	const struct ucred sender = { getpid(), packet->uid, packet->gid };
	struct iovec data = { (void *)packet->data, packet->size };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control };
	size_t used = 0;
	ssize_t n;

	if (packet->n_fds)
		used = append_control(control, used, SCM_RIGHTS, packet->fds,
				      sizeof(int) * packet->n_fds);
	if (packet->as_sender)
		used = append_control(control, used, SCM_CREDENTIALS, &sender, sizeof(sender));
	message.msg_controllen = (socklen_t)used;
	n = CALL(sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
	return n < 0 ? (int)n : 0;
}

ssize_t idm_sys_receive_packet(int fd, void *buf, size_t size)
{
	return CALL(recv(fd, buf, size, MSG_DONTWAIT | MSG_TRUNC));
}
