// SPDX-License-Identifier: MIT
/* A FUSE filesystem can be mapped if its server says so, and is told to be wrong if the server is. */
#include <pthread.h>

#include "checks.h"
#include "fuse-server.h"

#define PLACE SCRATCH "/place"

#ifndef FUSE_ALLOW_IDMAP
#define FUSE_ALLOW_IDMAP (1ULL << 40) /* Linux 6.12 */
#endif

/* ---- a server ---- */

struct server {
	int dev;
	uint64_t flags;	     /* that it asks for */
	bool tmpfile, wrong; /* it makes nameless files; with an owner of its own choice */
	pthread_t thread;
};

/* Nodes: 1 is the root, 2 the file that has no name. */
static struct fuse_attr attr_of(uint64_t node, uint32_t uid, uint32_t gid)
{
	return (struct fuse_attr){
		.ino = node,
		.mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0600,
		.nlink = 1,
		.uid = uid,
		.gid = gid,
	};
}

static void serve_getattr(const struct server *s, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr = attr_of(in->nodeid, 500, 600) };

	fuse_answer(s->dev, in, 0, &out, sizeof(out));
}

static void serve_tmpfile(const struct server *s, const struct fuse_in_header *in)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {
		.entry = {
			.nodeid = 2,
			.attr_valid = 1000, /* seconds, in which it is not asked again */
			.attr = attr_of(2, s->wrong ? 12345 : in->uid, in->gid),
		},
	};

	if (s->tmpfile)
		fuse_answer(s->dev, in, 0, &out, sizeof(out));
	else
		fuse_answer(s->dev, in, -ENOSYS, "", 0);
}

static void *serve(void *data)
{
	const struct server *s = data;
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 41,
		.flags = (uint32_t)s->flags | FUSE_INIT_EXT,
		.flags2 = (uint32_t)(s->flags >> 32),
		.max_write = 4096,
	};
	union fuse_request request;

	while (fuse_next(s->dev, &request)) {
		switch (request.in.opcode) {
		case FUSE_INIT:
			fuse_answer(s->dev, &request.in, 0, &init, sizeof(init));
			break;
		case FUSE_GETATTR:
			serve_getattr(s, &request.in);
			break;
		case FUSE_TMPFILE:
			serve_tmpfile(s, &request.in);
			break;
		case FUSE_RELEASE:
			fuse_answer(s->dev, &request.in, 0, "", 0);
			break;
		default:
			if (fuse_wants_answer(&request.in))
				fuse_answer(s->dev, &request.in, -ENOSYS, "", 0);
		}
	}
	return NULL;
}

/* Checks a filesystem that this server serves. */
static struct checked check_server(struct server s)
{
	struct checked x;

	scratch_enter();
	s.dev = fuse_mount(PLACE, ",default_permissions");
	assert_int_equal(pthread_create(&s.thread, NULL, serve, &s), 0);
	x = check(PLACE, IDM_CHECK_WRITE);
	do_umount_idle(PLACE);
	pthread_join(s.thread, NULL);
	close(s.dev);
	return x;
}

/* ---- what it says ---- */

TEST(a_server_that_does_not_allow_it)
{
	struct checked x = check_server((struct server){ .tmpfile = true });

	assert_refused(x, EINVAL, "the filesystem (fuse.test) cannot be ID-mapped");
	if (kernel_is_before(6, 12))
		assert_string_equal(x.e.hint, "mapping fuse requires Linux 6.12");
	else
		assert_contains(x.e.hint, "FUSE_ALLOW_IDMAP");
}

/* Checks one that allows it. Before Linux 6.12 none can. */
static bool check_allowing(struct server s, struct checked *x)
{
	s.flags = FUSE_ALLOW_IDMAP;
	*x = check_server(s);
	if (kernel_is_before(6, 12))
		assert_refused(*x, EINVAL, "the filesystem (fuse.test) cannot be ID-mapped");
	return !kernel_is_before(6, 12);
}

TEST(a_server_that_allows_it)
{
	struct checked x;

	if (check_allowing((struct server){ .tmpfile = true }, &x))
		assert_writable(x, "fuse.test");
}

TEST(a_server_without_nameless_files)
{
	struct checked x;

	if (check_allowing((struct server){ .tmpfile = false }, &x))
		assert_not_writable(x, EOPNOTSUPP, "does not support nameless files");
}

TEST(a_server_that_gives_files_the_wrong_owner)
{
	struct checked x;

	if (check_allowing((struct server){ .tmpfile = true, .wrong = true }, &x))
		assert_not_writable(x, EIO, "a file created through the map by 0:0 is seen as owned by");
}
