# csftp: make, make check, make demo; make help lists the other targets.
B       ?= build
PREFIX  ?= /usr/local
CC      ?= cc
CFLAGS  ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
LDFLAGS ?= -Wl,-z,relro,-z,now
V       ?= 0
Q        = $(if $(filter 0,$(V)),@)
say      = $(if $(filter 0,$(V)),@printf '  %-5s %s\n' $(1) $(2))
VERSION := 0.1.0

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wundef -Wvla \
	-Wswitch-enum -Wformat=2
own_cflags = -std=c11 -D_GNU_SOURCE -I. -Iinclude -fvisibility=hidden -fPIC \
	-pthread $(WARN) $(WERROR)
asan_flags := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined

# A library is looked for when it is needed, so that "make deps" needs none.
# Its headers are the system's: their warnings are not ours to mend.
pkg = $(if $(shell pkg-config --exists $(2) && echo y),$(patsubst \
	-I%,-isystem%,$(shell pkg-config $(1) $(2))),$(error $(if $(shell command -v pkg-config),$(2),pkg-config)\
	not found: install the Debian package $(if $(shell command -v \
	pkg-config),$(3),pkg-config), or run: make deps))
uv_pkg     = $(call pkg,$(1),libuv,libuv1-dev)
fuse_pkg   = $(call pkg,$(1),fuse3,libfuse3-dev) $(call uv_pkg,$(1)) \
	$(call pkg,$(1),libssh2,libssh2-1-dev)
crypto_pkg = $(call pkg,$(1),libcrypto,libssl-dev)
nettle_pkg = $(call pkg,$(1),nettle,nettle-dev)
lib_pkg    = $(crypto_pkg) $(nettle_pkg)
# sshd starts the server for each session, and the dynamic linker is a third of
# what a start takes.  STATIC= says no; a sanitizer wants the linker, too.
has_archives = $(filter-out libc.a libnettle.a,$(foreach a,libc.a libnettle.a,\
	$(shell $(CC) -print-file-name=$(a))))
STATIC ?= $(if $(findstring -fsanitize,$(CFLAGS)),,$(if \
	$(filter 2,$(words $(has_archives))),-static-pie))
cmocka_pkg = $(call pkg,$(1),cmocka,libcmocka-dev)
ssh_pkg    = $(call pkg,$(1),libssh,libssh-dev)
seccomp_pkg = $(call pkg,$(1),libseccomp,libseccomp-dev)

lib_src    := $(wildcard core/*.c core/*/*.c)
server_src := $(filter-out server/csftp-server.c server/csftpd/csftpd.c, \
	$(wildcard server/*.c server/*/*.c))
fusefs_src := $(filter-out fusefs/csftpfs.c,$(wildcard fusefs/*.c))
support    := $(wildcard tests/lib/*.c)
fast_test  := $(wildcard tests/unit/test_*.c tests/loopback/test_*.c)
slow_test  := $(wildcard tests/interop/test_*.c tests/interop/*/test_*.c)
examples   := $(wildcard tests/examples/*.c)
bench_bin   = $(B)/tests/bench/server
delay_bin   = $(B)/tests/bench/delay
parts_bin   = $(B)/tests/bench/parts
headers    := $(wildcard include/csftp/*.h)
man        := $(wildcard man/*.[1-9])
obj         = $(patsubst %.c,$(B)/%.o,$(1))
bin         = $(patsubst %.c,$(B)/%,$(1))
libs       := $(B)/libcsftp.a $(B)/libcsftp.so.0 $(B)/libcsftp.so
programs   := $(B)/csftp-server $(B)/csftpd $(B)/csftpfs

all: $(libs) $(programs)

.SECONDEXPANSION:
.SECONDARY:
.PRECIOUS: %/.
%/.:
	@mkdir -p $@

# The goals that a fresh machine is expected to reach install what they need.
fresh := $(if $(filter check check-long demo bench%,$(MAKECMDGOALS)),deps)

$(B)/fusefs/%.o $(B)/tests/%.o: own_cflags += $(call fuse_pkg,--cflags)
$(B)/core/%.o: own_cflags += $(call lib_pkg,--cflags)
$(B)/server/filter/%.o: own_cflags += $(call seccomp_pkg,--cflags)
$(B)/server/csftpd/%.o: own_cflags += $(call uv_pkg,--cflags) \
	$(call seccomp_pkg,--cflags)
$(B)/tests/%.o: own_cflags += $(call cmocka_pkg,--cflags)
$(B)/tests/cage.o: own_cflags = -std=c11 -D_GNU_SOURCE $(WARN) $(WERROR)
$(B)/%.o: %.c | $$(@D)/. $(fresh)
	$(call say,CC,$<)
	$(Q)$(CC) $(own_cflags) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Everything, for our programs and tests, which may reach what is internal.
$(B)/libcore.a: $(call obj,$(lib_src))
$(B)/libserver.a: $(call obj,$(server_src)) $(B)/server/filter.o
$(B)/libfusefs.a: $(call obj,$(fusefs_src))
$(B)/libsupport.a: $(call obj,$(support))
$(B)/lib%.a: | $(B)/.
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# The sandbox's filter is made by a program; see there.
$(B)/server/filter/make_filter: $(B)/server/filter/make_filter.o
	$(call say,LD,$@)
	$(link) $(call seccomp_pkg,--libs)
$(B)/server/filter.c: $(B)/server/filter/make_filter
	$(call say,MAKE,$@)
	$(Q)$< >$@.new && mv $@.new $@
$(B)/server/filter.o: $(B)/server/filter.c
	$(call say,CC,$<)
	$(Q)$(CC) $(own_cflags) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# For other people's programs: nothing but csftp_* can be linked with.
$(B)/libcsftp.o: $(call obj,$(lib_src))
	$(call say,LD,$@)
	$(Q)$(LD) -r -o $@ $^
	$(Q)$(or $(OBJCOPY),objcopy) --localize-hidden $@
$(B)/libcsftp.a: $(B)/libcsftp.o
$(B)/libcsftp.so.0: $(call obj,$(lib_src)) core/libcsftp.map
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(@F) -Wl,-z,defs \
		-Wl,--version-script=core/libcsftp.map -o $@ $(filter %.o,$^) \
		$(call lib_pkg,--libs)
$(B)/libcsftp.so: $(B)/libcsftp.so.0
	$(Q)ln -sf $(<F) $@

link = $(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^
$(B)/csftp-server: $(call obj,server/csftp-server.c) $(B)/libserver.a \
		$(B)/libcore.a
	$(call say,LD,$@)
	$(link) $(STATIC) $(call nettle_pkg,--libs)
# Checkers of memory know the C library when they see it loaded.
checked := $(B)/tests/interop/csftp-server-dynamic
$(checked): $(call obj,server/csftp-server.c) $(B)/libserver.a $(B)/libcore.a
	$(call say,LD,$@)
	$(link) $(call nettle_pkg,--libs)
$(B)/csftpd: $(call obj,server/csftpd/csftpd.c) $(B)/libserver.a \
		$(B)/libcore.a
	$(call say,LD,$@)
	$(link) $(call uv_pkg,--libs) $(call lib_pkg,--libs) \
		$(call seccomp_pkg,--libs)
$(B)/csftpfs: $(call obj,fusefs/csftpfs.c) $(B)/libfusefs.a $(B)/libcore.a
	$(call say,LD,$@)
	$(link) $(call fuse_pkg,--libs) $(call lib_pkg,--libs)
$(B)/tests/cage: $(B)/tests/cage.o
	$(call say,LD,$@)
	$(link)
$(bench_bin): $(B)/tests/bench/server.o $(B)/tests/bench/peer.o \
		$(B)/libcore.a
	$(call say,LD,$@)
	$(link)
$(delay_bin): $(B)/tests/bench/delay.o $(B)/tests/lib/proxy_run.o
	$(call say,LD,$@)
	$(link)
$(parts_bin): $(B)/tests/bench/parts.o
	$(call say,LD,$@)
	$(link) $(call fuse_pkg,--libs) $(call crypto_pkg,--libs)
$(B)/tests/%: $(B)/tests/%.o $(B)/libsupport.a $(B)/libserver.a \
		$(B)/libfusefs.a $(B)/libcore.a
	$(call say,LD,$@)
	$(link) $(call cmocka_pkg,--libs) $(call fuse_pkg,--libs) \
		$(call lib_pkg,--libs) $(call seccomp_pkg,--libs) $(other)
$(B)/tests/interop/server/test_libssh: other = $(call ssh_pkg,--libs)

# With what is installed, and nothing else.
$(B)/tests/examples/%: tests/examples/%.c $(B)/libcsftp.a $(headers) \
		| $(B)/tests/examples/.
	$(call say,LD,$@)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -Iinclude $(WARN) $(WERROR) $(CFLAGS) \
		$(LDFLAGS) -o $@ $< $(B)/libcsftp.a $(call lib_pkg,--libs)

# They count how often our objects call the allocator, or have it fail.
wrapped := $(addprefix $(B)/tests/unit/test_,memfs ssh_memory watch \
	writebehind_poor)
$(wrapped): override LDFLAGS += $(foreach f,malloc calloc realloc, \
	-Wl,--wrap=$(f))
$(B)/tests/unit/test_ssh_memory: override LDFLAGS += -Wl,--wrap=free

fast-build: $(call bin,$(fast_test)) $(B)/tests/cage
check-build: all fast-build $(call bin,$(slow_test) $(examples)) $(bench_bin) \
		$(delay_bin) $(checked)

# The sanitizers and the fuzzer want all objects their own way: B is theirs.
asan-build: | $(fresh)
	+$(Q)$(MAKE) --no-print-directory B=$(B)/asan CFLAGS='$(asan_flags)' \
		LDFLAGS= fast-build
asan_bin = $(patsubst %.c,$(B)/asan/%,$(fast_test))

check: check-build asan-build
	$(Q)tests/run.sh $(B)/tests/cage $(call bin,$(fast_test)) \
		$(asan_bin) $(call bin,$(slow_test))
check-long: check-build
	$(Q)CSFTP_LONG=1 tests/run.sh $(B)/tests/cage $(call bin,$(slow_test))
asan: asan-build
	$(Q)tests/run.sh $(B)/asan/tests/cage $(asan_bin)

# Sessions that the tests of the SSH engine repeat; see tests/lib/recorded.h.
record: $(B)/tests/interop/test_ssh_record
	$(Q)CSFTP_RECORD=tests/loopback/recorded $<

fuzz_src := $(wildcard tests/fuzz/fuzz_*.c)
fuzz-build: $(call bin,$(fuzz_src))
$(call bin,$(fuzz_src)): %: %.o $(B)/tests/fuzz/large.o \
		$(B)/tests/lib/later.o $(B)/libserver.a $(B)/libcore.a
	$(call say,LD,$@)
	$(link) -fsanitize=fuzzer -Wl,--wrap=malloc -Wl,--wrap=free \
		$(call lib_pkg,--libs)
fuzz:
	+$(Q)$(MAKE) --no-print-directory B=$(B)/fuzz CC=clang LDFLAGS= \
		CFLAGS='$(asan_flags) -fsanitize=fuzzer-no-link \
		-fsanitize-coverage-ignorelist=tests/fuzz/untraced.txt' \
		fuzz-build
	$(Q)tests/fuzz/run.sh $(patsubst %.c,$(B)/fuzz/%,$(fuzz_src))

demo: $(programs)
	$(Q)tests/demo.sh $(B)
bench: $(programs) $(delay_bin) bench-server
	$(Q)tests/bench/mount.sh $(B)
theirs := /usr/lib/openssh/sftp-server
bench-server: $(B)/csftp-server $(bench_bin)
	$(Q)$(bench_bin) $(B)/csftp-server $(theirs)
bench-ssh: $(B)/csftpd $(B)/csftpfs $(B)/tests/cage
	$(Q)tests/bench/ssh.sh $(B)
bench-parts: $(parts_bin)
	$(Q)$(parts_bin)
deps:
	$(Q)tests/deps.sh
help:
	$(Q)sed -n 's/`//g; s/^| \(make.*\) | \(.*\)|$$/\1: \2/p' README.md
lint:
	+$(Q)B=$(B) tests/lint/lint.sh
format:
	clang-format -i $$(find include core server fusefs tests -name '*.[ch]')

to = $(DESTDIR)$(PREFIX)
mandest = $(to)/share/man/man$(subst .,,$(suffix $(1)))/$(notdir $(1))
put = install -D -m
# mount(8) looks for these, by the type that fstab(5) has.
helpers = mount.csftpfs mount.fuse.csftpfs
install: all
	$(put) 755 $(B)/csftpfs $(to)/bin/csftpfs
	$(put) 755 $(B)/csftpd $(to)/sbin/csftpd
	$(foreach l,$(helpers),ln -sf ../bin/csftpfs $(to)/sbin/$(l) &&) :
	$(put) 755 $(B)/csftp-server $(to)/lib/csftp/csftp-server
	$(put) 644 $(B)/libcsftp.a $(to)/lib/libcsftp.a
	$(put) 755 $(B)/libcsftp.so.0 $(to)/lib/libcsftp.so.0
	ln -sf libcsftp.so.0 $(to)/lib/libcsftp.so
	$(put) 644 -t $(to)/include/csftp $(headers)
	@mkdir -p $(to)/lib/pkgconfig
	printf '%s\n' 'Name: csftp' 'Description: SFTP client and server core' \
		'Version: $(VERSION)' 'Libs: -L$(PREFIX)/lib -lcsftp' \
		'Requires.private: libcrypto nettle' \
		'Cflags: -I$(PREFIX)/include' >$(to)/lib/pkgconfig/csftp.pc
	@$(foreach m,$(man),$(put) 644 $(m) $(call mandest,$(m)) &&) :
uninstall:
	rm -f $(to)/bin/csftpfs $(to)/sbin/csftpd \
		$(addprefix $(to)/sbin/,$(helpers)) \
		$(to)/lib/csftp/csftp-server \
		$(addprefix $(to)/lib/,libcsftp.a libcsftp.so.0 libcsftp.so) \
		$(addprefix $(to)/,$(headers)) $(to)/lib/pkgconfig/csftp.pc \
		$(foreach m,$(man),$(call mandest,$(m)))
	-@rmdir $(to)/lib/csftp $(to)/include/csftp 2>/dev/null || :
clean:
	rm -rf $(B)

.PHONY: all fast-build check-build asan-build fuzz-build check check-long asan \
	fuzz record demo bench bench-parts bench-server bench-ssh deps help lint format \
	install uninstall clean
-include $(shell find $(addprefix $(B)/,core server fusefs tests) -name '*.d' \
	2>/dev/null)
