// SPDX-License-Identifier: MIT
#include "share.h"

#include "lib/base/macros.h"
#include "log.h"

/* A user's lines in the log, in this time. */
#define LOG_MS 10000
static const struct {
	unsigned int most;
	const char *word;
} log_kinds[LOG_KINDS] = { [LOG_MAPPED] = { 100, "mapped" }, [LOG_REFUSED] = { 20, "refused" } };

static bool is_owners(const struct share *share, const struct owner *owner)
{
	return share->owner.id == owner->id && share->owner.is_userns == owner->is_userns;
}

static bool is_log_time_over(const struct share *share, int64_t now)
{
	return now - share->since >= LOG_MS;
}

static void log_and_begin_anew(struct share *share, int64_t now)
{
	for (int kind = 0; kind < LOG_KINDS; kind++) {
		if (share->lines[kind].left_out)
			log_problem("%s %llu: %u %s requests more are not in the log",
				    share->owner.is_userns ? "user namespace" : "uid",
				    (unsigned long long)share->owner.id, share->lines[kind].left_out,
				    log_kinds[kind].word);
		share->lines[kind] = (struct log_count){ 0 };
	}
	share->since = now;
}

static bool is_better_to_reuse(const struct share *share, const struct share *other)
{
	return share->connections == 0 && (other->connections || share->since < other->since);
}

/* A new one, or of those without a connection the oldest. There are more shares than connections. */
static struct share *find_unused(struct share_table *table)
{
	struct share *best = table->shares;

	if (table->used < ARRAY_SIZE(table->shares))
		return &table->shares[table->used++];
	for (size_t i = 1; i < table->used; i++)
		if (is_better_to_reuse(&table->shares[i], best))
			best = &table->shares[i];
	return best;
}

struct share *get_share(struct share_table *table, const struct owner *owner, int64_t now)
{
	struct share *share;

	for (size_t i = 0; i < table->used; i++)
		if (is_owners(&table->shares[i], owner))
			return &table->shares[i];
	share = find_unused(table);
	log_and_begin_anew(share, now);
	share->owner = *owner;
	return share;
}

void move_in_share(struct share *share, enum state from, enum state to)
{
	if (from != FREE)
		share->in_state[from]--;
	if (to != FREE)
		share->in_state[to]++;
	share->connections += (to != FREE) - (from != FREE);
}

bool is_log_full(struct share *share, enum log_kind kind, int64_t now)
{
	if (is_log_time_over(share, now))
		log_and_begin_anew(share, now);
	return share->lines[kind].logged >= log_kinds[kind].most;
}

void count_line(struct share *share, enum log_kind kind, bool logged)
{
	if (logged)
		share->lines[kind].logged++;
	else
		share->lines[kind].left_out++;
}

static bool has_left_out(const struct share *share)
{
	return share->lines[LOG_MAPPED].left_out || share->lines[LOG_REFUSED].left_out;
}

int64_t log_left_out(struct share_table *table, int64_t now)
{
	int64_t next = -1;

	for (size_t i = 0; i < table->used; i++) {
		struct share *share = &table->shares[i];

		if (has_left_out(share) && is_log_time_over(share, now))
			log_and_begin_anew(share, now);
		if (has_left_out(share) && (next < 0 || share->since + LOG_MS < next))
			next = share->since + LOG_MS;
	}
	return next;
}
