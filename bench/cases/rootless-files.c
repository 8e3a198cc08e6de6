// SPDX-License-Identifier: MIT
/*
 * Files in a rootless container with a map of its own, whose root filesystem is an overlay of 20 layers:
 *
 *   idmount-overlayfs    mapped layers, by idmountd
 *   native overlay       layers whose files belong to the container's IDs, as podman's copy has them
 *   fuse-overlayfs       with the same map
 *
 * The lower bound is the kernel's overlay on layers that root has mapped. idmount has no part in the
 * work with files, so any longer time is the kernel's. All are on one tmpfs, below one user namespace of
 * an ordinary user. A process in the namespace of the container does the work, and shares its figures.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/ordinary.h"

#define FUSE_MAGIC 0x65735546
#define LAYERS 20
#define FILES_OF_LAYER 60
#define PACKED_FILES 1000
#define ARCHIVE PLACE "/archive.tar"

/* The image's root is the user, and the container's root is the first subordinate ID. */
#define CONTAINER_MAP "0 1 5000\n"
#define MAPPING "uidmapping=0:1:5000,gidmapping=0:1:5000"
/* The same, as the host counts. Its own root becomes an owner, too, since it mounts the overlay. */
#define HOST_MAP "1500:200000:1,200000:200001:4999,300000:0:1"

enum { OURS, NATIVE, FUSE, ROOT, WAYS };

static struct place {
	const char *name, *dir, *layers; /* the layers as the mount sees them */
	uid_t owner;			 /* of the image's files, on disk */
	int next;			 /* file to work with */
} places[WAYS] = {
	[OURS] = { "idmount-overlayfs", PLACE "/ours", PLACE "/ours", ORDINARY_USER, 0 },
	[NATIVE] = { "native overlay", PLACE "/same", PLACE "/same", SUBORDINATE_IDS, 0 },
	[FUSE] = { "fuse-overlayfs", PLACE "/fuse", PLACE "/fuse", ORDINARY_USER, 0 },
	[ROOT] = { "by root", PLACE "/root", PLACE "/seen", ORDINARY_USER, 0 },
};

static bool has_fuse;

/* ---- layers ---- */

static int layers(void)
{
	return is_smoke() ? 2 : LAYERS;
}

static int files(void)
{
	return layers() * FILES_OF_LAYER;
}

static const char *name_file(int i)
{
	static char name[64];

	snprintf(name, sizeof(name), "files/%02d-%02d", i % layers(), i / layers());
	return name;
}

static void write_file(const char *path)
{
	static const char text[1024] = { 1 };
	int fd = (int)check(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), path);

	check(write(fd, text, sizeof(text)), path);
	close(fd);
}

static void make_directory(uid_t owner, const char *parent, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	mkdir_all(path);
	check(chown(path, owner, owner), path);
}

static void make_layer(const struct place *place, int layer)
{
	char name[32];

	snprintf(name, sizeof(name), "%d", layer);
	make_directory(place->owner, place->dir, name);
	snprintf(name, sizeof(name), "%d/files", layer);
	make_directory(place->owner, place->dir, name);
}

static void make_place(const struct place *place)
{
	char path[128];

	make_directory(place->owner, place->dir, ".");
	make_directory(place->owner, place->dir, "upper");
	make_directory(place->owner, place->dir, "work");
	make_directory(place->owner, place->dir, "merged");
	for (int i = 0; i < layers(); i++)
		make_layer(place, i);
	for (int i = 0; i < files(); i++) {
		snprintf(path, sizeof(path), "%s/%d/%s", place->dir, i % layers(), name_file(i));
		write_file(path);
		check(chown(path, place->owner, place->owner), path);
	}
}

/* ---- mounts ---- */

static const char *overlay_options(const struct place *place, const char *more)
{
	static char text[2048];
	int n = snprintf(text, sizeof(text), "%s,upperdir=%s/upper,workdir=%s/work,lowerdir=", more,
			 place->layers, place->layers);

	for (int i = layers() - 1; i >= 0; i--)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s/%d%s", place->layers, i,
			      i ? ":" : "");
	return text;
}

static const char *merged(const struct place *place)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/merged", place->dir);
	return path;
}

static void mount_kernels(const struct place *place, const char *more)
{
	check(mount("overlay", merged(place), "overlay", 0, overlay_options(place, more)), place->name);
}

static void map_layers(const struct place *place)
{
	struct idm_map *map = new_map(HOST_MAP);
	struct idm_error err;
	int userns = check_idm(idm_userns_open(map, 0, &err), &err);
	int tree = check_idm(idm_tree_open(AT_FDCWD, place->dir, userns, NULL, &err), &err);

	mkdir_all(place->layers);
	check_idm(idm_tree_attach(tree, AT_FDCWD, place->layers, NULL, &err), &err);
	close(tree);
	close(userns);
	idm_map_free(map);
}

static void mount_ours(const struct place *place)
{
	const char *const argv[] = { built_program("idmount-overlayfs"), "-o",
				     overlay_options(place, MAPPING), merged(place), NULL };

	time_of_command((char *const *)argv);
}

/* In the foreground, so that it can be stopped. It prints warnings. */
static void execute_fuse(void *data)
{
	const struct place *place = data;
	int null = (int)check(open("/dev/null", O_WRONLY), "/dev/null");

	check(dup2(null, STDERR_FILENO), "dup2");
	execlp("fuse-overlayfs", "fuse-overlayfs", "-f", "-o", overlay_options(place, MAPPING),
	       merged(place), NULL);
	_exit(127);
}

static void start_fuse(struct place *place)
{
	pid_t pid = start_child(execute_fuse, place);
	struct statfs st;

	while (statfs(merged(place), &st) == 0 && st.f_type != FUSE_MAGIC) {
		if (check(waitpid(pid, NULL, WNOHANG), "waitpid") == pid) {
			fprintf(stderr, "fuse-overlayfs has exited\n");
			exit(1);
		}
		usleep(1000);
	}
}

/* The device may be root's alone. A node in this mount namespace is for all. */
static bool prepare_fuse(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0 || !has_program("fuse-overlayfs"))
		return false;
	close(fd);
	check(mknod(PLACE "/device", S_IFCHR | 0600, makedev(10, 229)), "mknod");
	check(chmod(PLACE "/device", 0666), "chmod");
	check(mount(PLACE "/device", "/dev/fuse", NULL, MS_BIND, NULL), "/dev/fuse");
	return true;
}

/* ---- the work ---- */

static struct place *here;

static const char *next_file(void)
{
	return name_file(here->next++ % files());
}

static void stat_file(void)
{
	struct stat st;

	check(stat(next_file(), &st), "stat");
}

static void read_file(void)
{
	char text[1024];
	int fd = (int)check(open(next_file(), O_RDONLY | O_CLOEXEC), "open");

	check(read(fd, text, sizeof(text)), "read");
	close(fd);
}

static void create_file(void)
{
	write_file("files/new");
}

static void unlink_file(void)
{
	check(unlink("files/new"), "unlink");
}

/* Each file once. */
static void copy_up(void)
{
	if (here->next >= files()) {
		fprintf(stderr, "no file is left to copy up\n");
		exit(1);
	}
	close((int)check(open(next_file(), O_WRONLY | O_CLOEXEC), "open"));
}

static void unpack(void)
{
	static const char *const argv[] = { "tar", "-xf", ARCHIVE, NULL };

	time_of_command((char *const *)argv);
}

static void remove_unpacked(void)
{
	static const char *const argv[] = { "rm", "-r", "packed", NULL };

	time_of_command((char *const *)argv);
}

/* Copying up comes after all that needs files of lower layers. */
static const struct call {
	const char *question;
	void (*go)(void), (*undo)(void);
	int times, rounds;
	double at_most;
} calls[] = {
	{ "rootless overlay: stat", stat_file, NULL, 200, 101, 1.2 },
	{ "rootless overlay: open, read and close", read_file, NULL, 100, 101, 1.07 },
	{ "rootless overlay: create and write 1 KiB", create_file, unlink_file, 20, 101, 1.07 },
	{ "rootless overlay: copy-up of 1 KiB", copy_up, NULL, 10, 101, 1.07 },
	{ "rootless overlay: untar of 1,000 files", unpack, remove_unpacked, 1, 15, 1.07 },
};

/* One call, in one place. */
static struct task {
	const struct call *call;
	struct place *place;
} tasks[COUNT(calls)][WAYS];
static struct way ways[COUNT(calls)][WAYS];

static double sample(const struct way *way)
{
	const struct task *t = way->data;
	const struct way work = { .go = t->call->go,
				  .undo = t->call->undo,
				  .times = times(t->call->times) };

	here = t->place;
	check(chdir(merged(here)), here->name);
	return measure_once(&work);
}

static void prepare_ways(void)
{
	for (size_t c = 0; c < COUNT(calls); c++)
		for (int w = 0; w < WAYS; w++) {
			tasks[c][w] = (struct task){ &calls[c], &places[w] };
			ways[c][w] = (struct way){ .name = places[w].name,
						   .sample = sample,
						   .data = &tasks[c][w],
						   .absent = w == FUSE && !has_fuse };
		}
}

/* ---- the processes ---- */

static struct measured *figures; /* of each call, in memory that all processes share */

static void prepare_figures(void)
{
	figures = mmap(NULL, COUNT(calls) * sizeof(*figures), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (figures == MAP_FAILED)
		die("mmap");
}

/* Each overlay shows the files as those of the container's root. */
static void check_owner(const struct place *place)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", merged(place), name_file(0));
	check(stat(path, &st), path);
	if (st.st_uid == 0 && st.st_gid == 0)
		return;
	fprintf(stderr, "%s: expected 0:0, got %u:%u\n", place->name, st.st_uid, st.st_gid);
	exit(1);
}

static void measure_calls(void *unused)
{
	(void)unused;
	for (int w = 0; w < WAYS; w++)
		if (!ways[0][w].absent)
			check_owner(&places[w]);
	for (size_t c = 0; c < COUNT(calls); c++) {
		for (int w = 0; w < WAYS; w++)
			places[w].next = 0;
		measure(&figures[c], ways[c], WAYS, rounds(calls[c].rounds));
	}
}

static void mount_as_user(void *unused)
{
	(void)unused;
	mount_kernels(&places[NATIVE], "userxattr");
	mount_ours(&places[OURS]);
	if (has_fuse)
		start_fuse(&places[FUSE]);
	await_child(start_contained_child(CONTAINER_MAP, measure_calls, NULL));
}

static void pack_files(void)
{
	static const char *const argv[] = { "tar", "-C", PLACE, "-cf", ARCHIVE, "packed", NULL };
	char path[64];

	mkdir_all(PLACE "/packed");
	for (int i = 0; i < times(PACKED_FILES); i++) {
		snprintf(path, sizeof(path), PLACE "/packed/%d", i);
		write_file(path);
	}
	time_of_command((char *const *)argv);
}

static void prepare_places(void)
{
	for (int w = 0; w < WAYS; w++)
		make_place(&places[w]);
	pack_files();
	map_layers(&places[ROOT]);
	mount_kernels(&places[ROOT], "xino=off");
}

static void report_call(size_t c)
{
	struct row row = { .question = calls[c].question,
			   .ours = OURS,
			   .yardstick = NATIVE,
			   .lower_bound = ROOT,
			   .at_most = calls[c].at_most };

	report(&figures[c], &row);
	row.yardstick = FUSE;
	row.lower_bound = NO_WAY;
	row.at_most = 0;
	if (has_fuse)
		report(&figures[c], &row);
	else
		report_skipped(calls[c].question, "fuse-overlayfs is missing");
}

/* Overlays of users require them, and tmpfs has them from Linux 6.6 on. */
static bool has_user_attributes(void)
{
	return setxattr(PLACE, "user.bench", "", 0, 0) == 0;
}

int main(void)
{
	pid_t service;

	enter_place();
	if (!has_user_attributes()) {
		report_skipped("rootless overlay", "this filesystem has no attributes user.*");
		return 0;
	}
	has_fuse = prepare_fuse();
	prepare_ways();
	prepare_figures();
	prepare_places();
	service = start_service(PLACE "/socket");
	await_child(start_ordinary_child(mount_as_user, NULL));
	stop_child(service);
	for (size_t c = 0; c < COUNT(calls); c++)
		report_call(c);
	return 0;
}
