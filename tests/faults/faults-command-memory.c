// SPDX-License-Identifier: MIT
/*
 * Every allocation of the commands fails once. Either the command reports that in one line and changes
 * nothing, or it does without: then its work and its output are the usual ones. A forked child calls
 * main().
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "failing-memory.h"
#include "oci/bundle.h"
#include "tests/integration/rootfs/plans.h"

#define MAP_TEXT "u:0:100000:65536,g:0:100000:65536"
#define SOURCE SCRATCH "/source"
#define BUNDLE SCRATCH "/bundle"
#define CONFIG BUNDLE "/config.json"
#define LOG SCRATCH "/log"
#define MOST 65536

int idmount_main(int argc, char **argv);
struct operation {
	const char *const *argv; /* NULL: calls `go` instead */
	int (*go)(void);
	bool frees;	     /* it frees all its memory before it returns */
	const char *config;  /* the content of CONFIG before; afterwards CONFIG is the same, or as after
				a run without a fault */
	const char *or_says; /* the output contains this then, which is as good as an error */
	void (*undo)(void);  /* undoes what success has left */
};

/* ---- a run ---- */

struct result {
	int status; /* as wait(2) returns it */
	char output[MOST], messages[MOST], config[MOST];
};

static void read_all(int fd, char text[MOST])
{
	ssize_t n = must(pread(fd, text, MOST - 1, 0));

	text[n] = '\0';
}

static void read_config(char text[MOST])
{
	int fd = (int)must(open(CONFIG, O_RDONLY | O_CLOEXEC));

	read_all(fd, text);
	close(fd);
}

static int call_main(const char *const *argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return idmount_main(argc, (char **)argv);
}

static void go(const struct operation *op, unsigned long nth, const int output[2])
{
	const struct rlimit no_core = { 0, 0 };
	int status;

	must(setrlimit(RLIMIT_CORE, &no_core));
	must(dup2(output[0], STDOUT_FILENO));
	must(dup2(output[1], STDERR_FILENO));
	memory_begin(nth);
	status = op->go ? op->go() : call_main(op->argv);
	memory->counts = false;
	_exit(status);
}

static void run(const struct operation *op, unsigned long nth, struct result *result)
{
	int output[2];
	pid_t pid;

	for (int i = 0; i < 2; i++)
		output[i] = (int)must(memfd_create("output", MFD_CLOEXEC));
	fflush(NULL);
	pid = (pid_t)must(fork());
	if (pid == 0)
		go(op, nth, output);
	must(TEMP_FAILURE_RETRY(waitpid(pid, &result->status, 0)));
	memory->counts = false;
	read_all(output[0], result->output);
	read_all(output[1], result->messages);
	for (int i = 0; i < 2; i++)
		close(output[i]);
	if (op->config)
		read_config(result->config);
}

/* ---- the result ---- */

static const char *name_of(const struct operation *op)
{
	return op->argv ? op->argv[1] : "prepare_bundle";
}

static void check_refusal(const struct operation *op, const struct result *r)
{
	const char *end = strchr(r->messages, '\n');

	if (WEXITSTATUS(r->status) != FAILED || strncmp(r->messages, "idmount: ", 9) != 0 || !end ||
	    end[1])
		fail_msg("it ends with %d and says: %s", r->status, r->messages);
	if (!strstr(r->messages, "Cannot allocate memory") && !strstr(r->messages, "out of memory"))
		fail_msg("it does not say that there is no memory: %s", r->messages);
	assert_true(!op->config || strcmp(r->config, op->config) == 0);
}

static void check_success(const struct operation *op, const struct result *r,
			  const struct result *undisturbed)
{
	assert_string_equal(r->messages, undisturbed->messages);
	assert_string_equal(r->output, undisturbed->output);
	if (op->config)
		assert_string_equal(r->config, undisturbed->config);
}

static void check(const struct operation *op, const struct result *r, const struct result *undisturbed)
{
	bool lives = WIFEXITED(r->status), done = lives && WEXITSTATUS(r->status) == DONE;

	if (getenv("IDM_FAULTS"))
		note("%s, allocation %lu: %d %s", name_of(op), memory->nth, r->status, r->messages);
	assert_true(lives);
	if (op->frees && memory->live)
		fail_msg("%ld allocations are left", memory->live);
	if (done)
		check_success(op, r, undisturbed);
	else
		check_refusal(op, r);
}

static void prepare(const struct operation *op)
{
	int fd;

	if (!op->config)
		return;
	fd = (int)must(open(CONFIG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
	must(write(fd, op->config, strlen(op->config)));
	close(fd);
}

static void try_once(const struct operation *op, unsigned long nth, struct result *r,
		     const struct result *undisturbed)
{
	struct snapshot *before;

	prepare(op);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	run(op, nth, r);
	if (undisturbed)
		check(op, r, undisturbed);
	if (op->undo && r->status == 0)
		op->undo();
	unlink(LOG);
	prepare(op);
	snapshot_assert_same(before);
}

static void try_each(const struct operation *op)
{
	struct result undisturbed, r;
	unsigned long n = 0;

	try_once(op, ULONG_MAX, &undisturbed, NULL);
	if (undisturbed.status != 0)
		fail_msg("%s does not succeed: %d, %s%s", name_of(op), undisturbed.status,
			 undisturbed.output, undisturbed.messages);
	for (;; n++) {
		try_once(op, n, &r, &undisturbed);
		if (!memory->failed)
			break;
	}
	note("%s: %lu allocations", name_of(op), n);
	proof("faults", n, "failed allocations survived");
}

static bool enter(void)
{
	if (TEST_SANITIZED) {
		note("sanitizers have a malloc of their own");
		return false;
	}
	scratch_enter();
	scratch_dir(SOURCE);
	scratch_dir(BUNDLE);
	scratch_dir(TARGET);
	memory_share();
	must(setenv("IDMOUNT_RUNTIME", "true", 1));
	return true;
}

#define ARGV(...) ((const char *const[]){ "idmount", __VA_ARGS__, NULL })

/* ---- config.json ---- */

#define ROWS(kind) "\"" kind "Mappings\": [{\"containerID\": 0, \"hostID\": 1000, \"size\": 1}]"
#define MOUNTS                                                                                         \
	"\"mounts\": [\n"                                                                              \
	"  {\"destination\": \"/a\", \"type\": \"bind\", \"source\": \"" SOURCE "\",\n"                \
	"   \"options\": [\"rbind\", \"ridmap\"], " ROWS("uid") ", " ROWS(                             \
		"gid") "},\n"                                                                          \
		       "  {\"destination\": \"/b\", \"type\": \"bind\", \"source\": \"" SOURCE "\",\n" \
		       "   \"options\": [\"uidmap=0:5:1\", \"bind\", \"gidmap=0:6:1\"]}\n"             \
		       " ]"

/* The command has to create each property, or add to it, or change a path in it. */
static const char *const configs[] = {
	"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"/\"}, " MOUNTS "}\n",
	"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"/\"},\n \"annotations\": {\n  \"some\": \"thing\"\n },\n " MOUNTS
	",\n"
	" \"hooks\": {\"createRuntime\": [{\"path\": \"/x\"}], \"poststop\": []}\n}\n",
	"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"/\"}, \"hooks\": null, " MOUNTS "}\n",
	"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"/\"}, " MOUNTS
	", \"annotations\": null, \"hooks\": {\"createRuntime\": ["
	"{\"path\": \"/old/idmount\", \"args\": [\"idmount\", \"oci-hook\"]}]}}\n",
	/* The annotation replaces the map of the pod. */
	"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"/\"}, \"mounts\": [{\"destination\": \"/a\",\n"
	"  \"type\": \"bind\", \"source\": \"" SOURCE
	"\", \"options\": [\"rbind\"], " ROWS("uid") ", " ROWS(
		"gid") "}],\n"
		       " \"linux\": {\"namespaces\": [{\"type\": \"user\"}], " ROWS("uid") ", " ROWS(
			       "gid") "},\n"
				      " \"annotations\": {\"io.idmount.maps\": \"{\\\"/a\\\": \\\"5:6\\\"}\"}}\n",
};

TEST(oci_runtime_create)
{
	if (!enter())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++)
		try_each(&(struct operation){
			.argv = ARGV("oci-runtime", "--log", LOG, "--log-format", "json", "create", "-b",
				     BUNDLE, "name"),
			.config = configs[i],
		});
}

static int make_ready(void)
{
	const struct bundle bundle = { .directory = BUNDLE, .hook = "/usr/bin/idmount" };
	char file[PATH_MAX];
	struct idm_error err;

	return prepare_bundle(&bundle, file, &err) < 0 ? report_error_in(file, &err) : DONE;
}

/* create executes the runtime, which hides memory that was not freed. */
TEST(make_ready)
{
	if (!enter())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++)
		try_each(&(struct operation){ .go = make_ready, .frees = true, .config = configs[i] });
}

TEST(oci_runtime_features)
{
	if (enter())
		try_each(&(struct operation){ .argv = ARGV("oci-runtime", "features") });
}

/* ---- others ---- */

static void unmount(void)
{
	do_umount(TARGET);
}

TEST(mount)
{
	if (enter())
		try_each(&(struct operation){
			.argv = ARGV("mount", "-o", "nosuid,nodev", "-m", MAP_TEXT, "-o", "private",
				     SOURCE, TARGET),
			.undo = unmount,
		});
}

TEST(map)
{
	if (!enter())
		return;
	try_each(&(struct operation){ .argv = ARGV("map", "-m", MAP_TEXT) });
	try_each(&(struct operation){ .argv = ARGV("map", "--format", "oci", "-m", MAP_TEXT) });
}

TEST(list)
{
	if (!enter())
		return;
	mount_mapped(SOURCE, TARGET, MAP_TEXT);
	try_each(&(struct operation){ .argv = ARGV("list", TARGET) });
	try_each(&(struct operation){ .argv = ARGV("list") });
	try_each(&(struct operation){ .argv = ARGV("list", "--tree") });
	try_each(&(struct operation){ .argv = ARGV("list", "-r", "-o", "+uid-map") });
}

TEST(check)
{
	if (enter())
		try_each(&(struct operation){ .argv = ARGV("check", SOURCE) });
}
