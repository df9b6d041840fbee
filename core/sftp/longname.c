#include "core/sftp/longname.h"

#include <stdbool.h>
#include <string.h>

/* "ls" shows the time of day for this long before and the year after. */
#define RECENT_SEC (365 * 24 * 3600 / 2)

#define USER_WIDTH 8
#define USER_MAX   64

/*
 * The line before the name, which always fits: it goes to the answer in one
 * piece, as each piece costs a check of its own.
 */
struct line {
	char text[LONGNAME_PREFIX_MAX];
	size_t len;
};

static void put_char(struct line *line, char c)
{
	if (line->len < sizeof(line->text))
		line->text[line->len++] = c;
}

static void put_text(struct line *line, const char *text, size_t len)
{
	if (len > sizeof(line->text) - line->len)
		len = sizeof(line->text) - line->len;
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void put_padding(struct line *line, size_t have, size_t width)
{
	for (; have < width; have++)
		put_char(line, ' ');
}

/* The width is at most NUMBER_MAX. */
#define NUMBER_MAX 20

static void put_number(struct line *line, uint64_t val, size_t width, char fill)
{
	char text[NUMBER_MAX];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + val % 10);
		val /= 10;
	} while (val > 0);
	while (sizeof(text) - at < width)
		text[--at] = fill;
	put_text(line, text + at, sizeof(text) - at);
}

static char type_letter(uint32_t mode)
{
	switch (mode & CSFTP_S_IFMT) {
	case CSFTP_S_IFREG:
		return '-';
	case CSFTP_S_IFDIR:
		return 'd';
	case CSFTP_S_IFLNK:
		return 'l';
	case 0020000:
		return 'c';
	case 0060000:
		return 'b';
	case 0010000:
		return 'p';
	case 0140000:
		return 's';
	default:
		return '?';
	}
}

/* What stands in place of an x that is there, and of one that is not. */
static void put_special(char *x, bool special, const char letters[2])
{
	if (special)
		*x = letters[*x == 'x' ? 0 : 1];
}

static void put_mode(struct line *line, uint32_t mode)
{
	char text[] = "?rwxrwxrwx";

	text[0] = type_letter(mode);
	for (int i = 0; i < 9; i++)
		if (!(mode & 0400U >> i))
			text[1 + i] = '-';
	put_special(&text[3], mode & 04000, "sS");
	put_special(&text[6], mode & 02000, "sS");
	put_special(&text[9], mode & 01000, "tT");
	put_text(line, text, sizeof(text) - 1);
}

static void put_owner(struct line *line, const char *name, uint32_t id)
{
	size_t start = line->len;
	size_t len = name ? strlen(name) : 0;

	if (name)
		put_text(line, name, len < USER_MAX ? len : USER_MAX);
	else
		put_number(line, id, 0, ' ');
	put_padding(line, line->len - start, USER_WIDTH);
	put_char(line, ' ');
}

/* Years that can be shown: 1 to about a thousand million, without overflow. */
#define SEC_MIN (-62135596800 + 86400)
#define SEC_MAX ((int64_t)1 << 55)

static int64_t showable(int64_t sec)
{
	if (sec < SEC_MIN)
		return SEC_MIN;
	return sec > SEC_MAX ? SEC_MAX : sec;
}

struct date {
	int64_t year;
	unsigned month; /* 0 to 11 */
	unsigned day;	/* 1 to 31 */
};

/* Gregorian date of a day count from 1970; years begin in March here. */
static struct date date_of_day(int64_t days)
{
	int64_t shifted = days + 719468; /* from 0000-03-01 */
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned in_era = (unsigned)(shifted - era * 146097);
	unsigned year =
		(in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) /
		365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned march_month = (5 * in_year + 2) / 153;
	unsigned month = (march_month + 2) % 12;

	return (struct date){
		.year = (int64_t)year + era * 400 + (month < 2 ? 1 : 0),
		.month = month,
		.day = in_year - (153 * march_month + 2) / 5 + 1,
	};
}

static void put_date(struct line *line, const struct longname *how,
		     int64_t when)
{
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr",
					   "May", "Jun", "Jul", "Aug",
					   "Sep", "Oct", "Nov", "Dec"};
	int64_t at = showable(when);
	int64_t now = showable(how->now);
	bool recent = at <= now && now - at < RECENT_SEC;
	int64_t local = at + how->offset_sec;
	int64_t second = (local % 86400 + 86400) % 86400;
	struct date date = date_of_day((local - second) / 86400);

	put_text(line, months[date.month], 3);
	put_char(line, ' ');
	put_number(line, date.day, 2, ' ');
	put_char(line, ' ');
	if (recent) {
		put_number(line, (uint64_t)second / 3600, 2, '0');
		put_char(line, ':');
		put_number(line, (uint64_t)second / 60 % 60, 2, '0');
	} else {
		put_number(line, (uint64_t)date.year, 5, ' ');
	}
	put_char(line, ' ');
}

void longname_put(struct wire_wr *wr, const struct longname *how,
		  const struct csftp_entry *entry)
{
	const struct csftp_attr *attr = &entry->attr;
	struct line line;

	line.len = 0;
	put_mode(&line, attr->mode);
	put_char(&line, ' ');
	put_char(&line, ' ');
	put_number(&line, attr->nlink, 3, ' ');
	put_char(&line, ' ');
	put_owner(&line, how->user, attr->uid);
	put_owner(&line, how->group, attr->gid);
	put_number(&line, attr->size, 8, ' ');
	put_char(&line, ' ');
	put_date(&line, how, attr->mtime.sec);
	wire_wr_raw(wr, line.text, line.len);
	wire_wr_raw(wr, entry->name.ptr, entry->name.len);
}
