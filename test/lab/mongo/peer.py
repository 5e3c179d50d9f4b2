#!/usr/bin/python3
"""
Stands in for mongosh, mongodump and mongorestore, and for the mongod behind them: MongoDB cannot be had in a closed
network. It is what our side talks to: their options, `--config`, archives, words and exit codes, as mongo-tools 100.10
has them. Collections are on disk as BSON, and dumped into true archives with their sums. It replicates nothing: each
machine has data and a standing of its own, as a test gives it.

  mongo-peer set KEY=JSON...         how this member is: see `defaults`
  mongo-peer fill DB COLLECTION N    a collection with N documents and an index
  mongo-peer view DB NAME ON         a view
"""
import gzip
import json
import os
import re
import shutil
import struct
import sys
import time
import urllib.parse

home = '/var/lib/mongo-peer'
defaults = {
    'up': True,
    'port': 27017,
    'version': '7.0.14',
    'tools': '100.10.0',
    'set': 'rs0',
    'role': 'SECONDARY',
    'written': '2026-11-28T02:30:00.000Z',
    'user': None,
    'password': None,
    # Faults: mongodump waits in the middle, and mongosh after its second rename; mongodump leaves out the end;
    # mongorestore loses a document without a word.
    'hold': False,
    'cut': False,
    'lose': False,
}


class Failure(Exception):
    pass


def state():
    try:
        with open(f'{home}/server.json') as file:
            return {**defaults, **json.load(file)}
    except FileNotFoundError:
        return defaults


# Storage: a folder for each database, two files for each collection.


def path(db, name, kind):
    return f'{home}/data/{db}/{urllib.parse.quote(name, safe="")}.{kind}'


def databases():
    return sorted(os.listdir(f'{home}/data')) if os.path.isdir(f'{home}/data') else []


def names(db):
    folder = f'{home}/data/{db}'
    if not os.path.isdir(folder):
        return []
    return sorted(urllib.parse.unquote(file[:-5]) for file in os.listdir(folder) if file.endswith('.json'))


def facts(db, name):
    with open(path(db, name, 'json')) as file:
        return json.load(file)


def documents(db, name):
    with open(path(db, name, 'bson'), 'rb') as file:
        data = file.read()
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from('<i', data, at)
        yield data[at : at + size]
        at += size


def save(db, name, what, data=b''):
    os.makedirs(f'{home}/data/{db}', exist_ok=True)
    with open(path(db, name, 'bson'), 'wb') as file:
        file.write(data)
    with open(path(db, name, 'json'), 'w') as file:
        json.dump(what, file)


# BSON, as much of it as headers and our documents have.


def encode(document):
    body = b''
    for key, value in document.items():
        name = key.encode() + b'\0'
        if isinstance(value, bool):
            body += b'\x08' + name + bytes([value])
        elif isinstance(value, str):
            text = value.encode() + b'\0'
            body += b'\x02' + name + struct.pack('<i', len(text)) + text
        elif isinstance(value, int) and key == 'CRC':
            body += b'\x12' + name + struct.pack('<Q', value)
        else:
            body += b'\x10' + name + struct.pack('<i', value)
    return struct.pack('<i', len(body) + 5) + body + b'\0'


def decode(data):
    found, at = {}, 4
    while data[at]:
        kind, end = data[at], data.index(0, at + 1)
        key, at = data[at + 1 : end].decode(), end + 1
        if kind == 0x02:
            (size,) = struct.unpack_from('<i', data, at)
            found[key], at = data[at + 4 : at + 3 + size].decode(), at + 4 + size
        elif kind == 0x08:
            found[key], at = bool(data[at]), at + 1
        elif kind == 0x10:
            found[key], at = struct.unpack_from('<i', data, at)[0], at + 4
        elif kind == 0x12:
            found[key], at = struct.unpack_from('<Q', data, at)[0], at + 8
        else:
            raise Failure(f'no type {kind}')
    return found


def table():
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0xC96C5795D7870F42 if number & 1 else 0)
        yield number


sums = list(table())


def add_sum(crc, data):
    crc ^= 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc = sums[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFFFFFFFFFF


magic, terminator = struct.pack('<I', 0x8199E26D), b'\xff\xff\xff\xff'

# The programs.


def options(argv):
    found = {}
    for word in argv:
        key, _, value = word.partition('=')
        if not key.startswith('--'):
            raise Failure(f'unknown argument {word}')
        found.setdefault(key[2:], []).append(value)
    return found


def say(text):
    stamp = time.strftime('%Y-%m-%dT%H:%M:%S.000+0000', time.gmtime())
    print(f'{stamp}\t{text}', file=sys.stderr, flush=True)


def log_in(server, given):
    """As the tools do, at Init."""
    where = f"mongodb://{given['host'][0]}:{given['port'][0]}/"
    password = None
    if 'config' in given:
        with open(given['config'][0]) as file:
            line = re.fullmatch(r'password: (".*")\n', file.read())
        if not line:
            raise Failure(f"error parsing config file {given['config'][0]}")
        password = json.loads(line[1])
    if not server['up'] or int(given['port'][0]) != server['port']:
        address = f"127.0.0.1:{given['port'][0]}"
        raise Failure(
            f"can't create session: failed to connect to {where}: server selection error: server selection timeout, "
            f'current topology: {{ Type: Single, Servers: [{{ Addr: {address}, Type: Unknown, '
            f'Last error: dial tcp {address}: connect: connection refused }}, ] }}'
        )
    if server['user'] and [given.get('username'), given.get('authenticationDatabase'), password] != [
        [server['user']],
        ['admin'],
        server['password'],
    ]:
        raise Failure(
            f"can't create session: failed to connect to {where}: connection() error occurred during connection "
            'handshake: auth error: sasl conversation error: unable to authenticate using mechanism "SCRAM-SHA-256": '
            '(AuthenticationFailed) Authentication failed.'
        )


def hold():
    open(f'{home}/holding', 'w').close()
    time.sleep(600)


def mongodump(server, given):
    log_in(server, given)
    db, out = given['db'][0], gzip.GzipFile(fileobj=sys.stdout.buffer, mode='wb', mtime=0)
    excluded = tuple(given.get('excludeCollectionsWithPrefix', []))
    dumped = [name for name in names(db) if not (excluded and name.startswith(excluded))]
    out.write(magic + encode({'concurrent_collections': 4, 'version': '0.1', 'server_version': server['version'], 'tool_version': server['tools']}))
    for name in dumped:
        what = facts(db, name)
        metadata = {'options': what.get('options', {}), 'indexes': what['indexes'], 'uuid': '', 'collectionName': name, 'type': what['type']}
        kind = '' if what['type'] == 'collection' else what['type']
        out.write(encode({'db': db, 'collection': name, 'metadata': json.dumps(metadata), 'size': 0, 'type': kind}))
    out.write(terminator)
    # Segment by segment in turn, as several at a time are dumped.
    waiting = [(name, documents(db, name), [0]) for name in dumped]
    turns = 0
    while waiting:
        for entry in list(waiting):
            name, rest, crc = entry
            segment = b''.join(document for _, document in zip(range(500), rest))
            if segment:
                crc[0] = add_sum(crc[0], segment)
                out.write(encode({'db': db, 'collection': name, 'EOF': False, 'CRC': 0}) + segment + terminator)
                continue
            waiting.remove(entry)
            if server['cut'] and not waiting:
                break
            out.write(encode({'db': db, 'collection': name, 'EOF': True, 'CRC': crc[0]}) + terminator)
        turns += 1
        if server['hold'] and turns == 1:
            out.flush()
            sys.stdout.buffer.flush()
            hold()
    out.close()
    for name in dumped:
        say(f'done dumping `{db}.{name}`')


def blocks(data):
    """Header and documents of each block, as common/archive/parser.go reads them."""
    at = 4
    if data[:4] != magic:
        raise Failure('stream or file does not appear to be a mongodump archive')
    block = []
    while at < len(data):
        (size,) = struct.unpack_from('<I', data.ljust(at + 4, b'\0'), at)
        if data[at : at + 4] == terminator:
            at += 4
            yield block
            block = []
            continue
        if size < 5 or at + size > len(data) or data[at + size - 1]:
            raise Failure('corruption found in archive; read bson ( unexpected EOF )')
        block.append(data[at : at + size])
        at += size
    if block:
        raise Failure('corruption found in archive; ParserConsumer.BodyBSON() ( EOF )')


def renamed(namespace, given):
    pairs = list(zip(given.get('nsFrom', []), given.get('nsTo', [])))
    for source, target in reversed(pairs):
        pattern = re.escape(source.replace('\\*', '\0')).replace(r'\*', '(.*?)').replace('\0', r'\*')
        match = re.fullmatch(pattern, namespace)
        if match:
            parts = iter(match.groups())
            return ''.join(next(parts) if piece == '*' else piece for piece in re.split(r'(\*)', target))
    return namespace


def mongorestore(server, given):
    log_in(server, given)
    try:
        data = gzip.decompress(sys.stdin.buffer.read())
    except (OSError, EOFError) as error:
        raise Failure(f'gzip: invalid header ( {error} )')
    prelude, *rest = blocks(data)
    if server['role'] != 'PRIMARY' and server['set']:
        raise Failure('error creating collection: (NotWritablePrimary) not primary')
    say('preparing collections to restore from')
    listed = {f"{entry['db']}.{entry['collection']}": entry for entry in map(decode, prelude[1:])}
    kept, crc, ended = {name: [] for name in listed}, dict.fromkeys(listed, 0), set()
    for header, *found in rest:
        head = decode(header)
        name = f"{head['db']}.{head['collection']}"
        kept[name] += found
        crc[name] = add_sum(crc[name], b''.join(found))
        if head['EOF']:
            ended.add(name)
            if head['CRC'] != crc[name]:
                raise Failure(f"CRC mismatch for namespace `{name}`, {crc[name]}!={head['CRC']}")
    if set(listed) - ended:
        raise Failure('error demultiplexing archive; archive finished before all collections were seen')
    total = 0
    for name, entry in listed.items():
        if name in given.get('nsExclude', []):
            continue
        db, _, collection = renamed(name, given).partition('.')
        metadata = json.loads(entry['metadata'])
        old = list(documents(db, collection)) if collection in names(db) else []
        new = kept[name][1:] if server['lose'] else kept[name]
        what = {'type': metadata['type'], 'options': metadata['options'], 'indexes': metadata['indexes']}
        save(db, collection, what, b''.join(old + new))
        total += len(new)
        say(f'finished restoring `{db}.{collection}` ({len(new)} documents, 0 failures)')
    say(f'{total} document(s) restored successfully. 0 document(s) failed to restore.')


def answer(server, db, command):
    (verb, value), *_ = command.items()
    if verb == 'hello':
        standing = {'isWritablePrimary': server['role'] == 'PRIMARY', 'secondary': server['role'] == 'SECONDARY'}
        return {**standing, **({'setName': server['set']} if server['set'] else {})}
    if verb == 'buildInfo':
        return {'version': server['version']}
    if verb == 'replSetGetStatus':
        return {'set': server['set'], 'members': [{'self': True, 'stateStr': server['role'], 'optimeDate': {'$date': server['written']}}]}
    if verb == 'listDatabases':
        return {'databases': [{'name': name} for name in databases()]}
    if verb == 'listCollections':
        return rows([{'name': name, 'type': facts(db, name)['type']} for name in names(db)])
    if verb == 'listIndexes':
        return rows(facts(db, value)['indexes'])
    if verb == 'aggregate':
        count = sum(1 for _ in documents(db, value))
        return rows([{'n': count}] if count else [])
    if verb == 'dbStats':
        size = sum(os.path.getsize(path(db, name, 'bson')) for name in names(db))
        disk = shutil.disk_usage(home)
        return {'dataSize': size, 'fsUsedSize': disk.used, 'fsTotalSize': disk.total}
    if server['set'] and server['role'] != 'PRIMARY':
        raise Failure('MongoServerError: not primary')
    if verb == 'create':
        if value in names(db):
            raise Failure(f'MongoServerError: Collection {db}.{value} already exists.')
        save(db, value, {'type': 'collection', 'indexes': [{'v': 2, 'key': {'_id': 1}, 'name': '_id_'}]})
        return {}
    if verb == 'drop':
        for kind in ['bson', 'json']:
            os.remove(path(db, value, kind))
        return {}
    if verb == 'dropDatabase':
        shutil.rmtree(f'{home}/data/{db}', ignore_errors=True)
        return {}
    if verb == 'renameCollection' and db == 'admin':
        (one, source), (other, target) = (name.split('.', 1) for name in [value, command['to']])
        if source not in names(one):
            raise Failure(f'MongoServerError: Source collection {value} does not exist')
        if target in names(other):
            raise Failure('MongoServerError: target namespace exists')
        if facts(one, source)['type'] != 'collection':
            raise Failure(f'MongoServerError: Namespace {value} is a {facts(one, source)["type"]}, not a collection')
        for kind in ['bson', 'json']:
            os.rename(path(one, source, kind), path(other, target, kind))
        return {}
    raise Failure(f"MongoServerError: no such command: '{verb}'")


def rows(batch):
    return {'cursor': {'id': 0, 'firstBatch': batch}}


def mongosh(server, argv):
    if argv[:4] != ['--quiet', '--norc', '--nodb', '--file'] or len(argv) != 5:
        raise Failure(f'Error parsing command line: {argv}')
    with open(argv[4]) as file:
        first, rest = file.read().split('\n', 1)
    if 'connect(task.uri, ...task.login)' not in rest or 'runCommand(command)' not in rest:
        raise Failure('SyntaxError: this is not the script that this peer knows')
    task = json.loads(first.removeprefix('const task = ').removesuffix(';'))
    uri = urllib.parse.urlsplit(task['uri'])
    if not server['up'] or uri.port != server['port']:
        raise Failure(f'MongoNetworkError: connect ECONNREFUSED 127.0.0.1:{uri.port}')
    login = [*task['login'], *urllib.parse.parse_qs(uri.query).get('authSource', [])]
    if server['user'] and login != [server['user'], server['password'], 'admin']:
        raise Failure('MongoServerError: Authentication failed.')
    answers, renames = [], 0
    for one in task['commands']:
        answers.append({**answer(server, one['db'], one['command']), 'ok': 1})
        renames += 'renameCollection' in one['command']
        if server['hold'] and renames == 2:
            hold()
    print(json.dumps(answers))


def fill(db, name, count):
    data = b''.join(encode({'_id': i, 'name': f'{name} {i}'}) for i in range(int(count)))
    indexes = [{'v': 2, 'key': {'_id': 1}, 'name': '_id_'}, {'v': 2, 'key': {'name': 1}, 'name': 'name_1', 'unique': True}]
    save(db, name, {'type': 'collection', 'options': {}, 'indexes': indexes}, data)


def main(program, argv):
    server = state()
    if program == 'mongo-peer':
        verb, *words = argv
        if verb == 'set':
            os.makedirs(home, mode=0o700, exist_ok=True)
            changes = {key: json.loads(value) for key, value in (word.split('=', 1) for word in words)}
            with open(f'{home}/server.json', 'w') as file:
                json.dump({**server, **changes}, file)
        elif verb == 'fill':
            fill(*words)
        elif verb == 'view':
            save(words[0], words[1], {'type': 'view', 'options': {'viewOn': words[2], 'pipeline': []}, 'indexes': []})
        return 0
    try:
        if argv == ['--version'] and program != 'mongosh':
            print(f"{program} version: {server['tools']}\ngit version: none")
        elif program == 'mongosh':
            mongosh(server, argv)
        else:
            {'mongodump': mongodump, 'mongorestore': mongorestore}[program](server, options(argv))
        return 0
    except Failure as failure:
        if program == 'mongosh':
            print(failure, file=sys.stderr)
        else:
            say(f'Failed: {failure}')
            if program == 'mongorestore':
                say('0 document(s) restored successfully. 0 document(s) failed to restore.')
        return 1


sys.exit(main(os.path.basename(sys.argv[0]), sys.argv[1:]))
