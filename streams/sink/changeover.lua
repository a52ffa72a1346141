#!lua name=changeover_@VERSION@
-- The law of the sink inside Redis. rules.py is the same law in Python, test by test in the same order. upkeep.lua is
-- loaded behind this file, in the same library.
--
-- Every test stands before the first write, permissions and key types too: an error half way would keep the writes
-- before it. JSON is never decoded. Numbers come as digits and are stored as the digits that came (tostring would
-- round what is longer than 14); they are compared as doubles, which are exact below 2^53.

local LARGEST = 9007199254740991
local FIXED = 18 -- arguments of write before the first entry
local PER_ENTRY = 4 -- offset, seq, chain, json
local PAGE = 1000 -- stored entries read at a time
local NUMBERS = {'generation', 'epoch', 'from', 'to', 'before', 'log_time', 'trim_below', 'count', 'sites'}
local HEAD_NUMBERS = {'generation', 'epoch', 'offset', 'seq', 'oldest'}
local HEAD = {'generation', 'epoch', 'offset', 'raw_hash', 'seq', 'chain', 'oldest', 'log_time_us', 'model', 'degraded',
  'unconfirmed'}

local function whole(text)
  if text == '0' then return 0 end
  if not text or #text > 16 or not string.match(text, '^[1-9]%d*$') then return nil end
  local number = tonumber(text)
  if number > LARGEST then return nil end
  return number
end

local function digits(number) return string.format('%.0f', number) end
local function id(seq) return digits(seq) .. '-0' end

-- A stored entry is {id, {'offset', o, 'chain', c, 'json', j}}; one by another hand may have less.
local function stored_offset(entry) return entry[2][2] or 'none' end
local function stored_chain(entry) return entry[2][4] or 'none' end
local function stored_json(entry) return entry[2][6] end

local function parse_numbers(args)
  local batch = {
    generation = whole(args[1]), epoch = whole(args[2]), from = whole(args[5]), to = whole(args[6]),
    before = whole(args[7]), log_time = whole(args[11]), trim_below = whole(args[14]),
    count = whole(args[16]), sites = whole(args[17]),
    opens = args[3] == '1', starts = args[4] == '1', chain_before = args[8], genesis = args[9], raw_hash = args[10],
  }
  for _, name in ipairs(NUMBERS) do
    if not batch[name] then return batch, name .. ' is not a whole number' end
  end
  if batch.generation < 1 then return batch, 'generations count from 1' end
  if batch.from > batch.to then return batch, 'from lies beyond to' end
  if batch.starts and (batch.before ~= 0 or batch.chain_before ~= batch.genesis) then
    return batch, 'it starts a generation, but not from its genesis'
  end
  if batch.chain_before == '' then return batch, 'the chain before it is empty' end
  return batch, nil
end

local function parse_entries(batch, args)
  if #args < FIXED + PER_ENTRY * batch.count then return 'arguments are missing' end
  local offset = batch.from
  batch.offsets = {}
  for i = 1, batch.count do
    local at = FIXED + PER_ENTRY * (i - 1)
    local own = whole(args[at + 1])
    if whole(args[at + 2]) ~= batch.before + i then return 'entry ' .. i .. ' is out of number' end
    if not own or own < offset or own > batch.to then return 'entry ' .. i .. ' has an offset out of order' end
    if args[at + 3] == '' or args[at + 4] == '' then return 'entry ' .. i .. ' has no chain or no bytes' end
    batch.offsets[i] = own
    offset = own
  end
  batch.last = batch.before + batch.count
  if batch.last > LARGEST then return 'its last seq is too large' end
  return nil
end

-- Sites follow the entries: for each the number of its fields, then field and value in turn.
local function parse_sites(batch, keys, args)
  local at = FIXED + PER_ENTRY * batch.count + 1
  if #keys ~= 2 + batch.sites + (batch.sites > 0 and 1 or 0) then return 'keys and sites do not match' end
  batch.site_at = {}
  for i = 1, batch.sites do
    local fields = whole(args[at])
    if not fields or fields < 1 or fields > 1000 or at + 2 * fields > #args then return 'site ' .. i .. ' is cut' end
    batch.site_at[i] = {at + 1, at + 2 * fields}
    at = at + 2 * fields + 1
  end
  if at ~= #args + 1 then return 'there are arguments left over' end
  return nil
end

local function load_head(key)
  local values = redis.call('HMGET', key, unpack(HEAD))
  local head, absent = {}, 0
  for i, name in ipairs(HEAD) do
    if not values[i] then absent = absent + 1 end
    head[name] = values[i]
  end
  if absent == #HEAD then return nil, nil end
  for _, name in ipairs(HEAD_NUMBERS) do
    local number = whole(head[name] or '')
    if name == 'offset' and head[name] == '-1' then number = -1 end
    if not number then return head, {'damaged_head', name, head[name] or 'nothing'} end
    head[name] = number
  end
  if not head.chain or not head.raw_hash then return head, {'damaged_head', 'chain or raw_hash', 'nothing'} end
  return head, nil
end

local function load_stream(key)
  if redis.call('EXISTS', key) == 0 then return nil end
  local info = redis.call('XINFO', 'STREAM', key)
  local stream = {}
  for i = 1, #info, 2 do stream[info[i]] = info[i + 1] end
  local first, last = stream['first-entry'] or nil, stream['last-entry'] or nil
  return {length = stream['length'], first = first, last = last, last_id = stream['last-generated-id']}
end

local function torn(head, stream)
  if head.seq == 0 and not stream then return nil end
  local length, first, last = 0, 'none', 'none'
  if stream and stream.last then length, first, last = stream.length, stream.first[1], stream.last_id end
  local is_whole = length == head.seq - head.oldest + 1
  if not is_whole or first ~= id(head.oldest) or last ~= id(head.seq) then
    return {'torn', digits(head.oldest), digits(head.seq), digits(length), first, last}
  end
  if stored_chain(stream.last) ~= head.chain then
    return {'torn_chain', digits(head.seq), head.chain, stored_chain(stream.last)}
  end
  return nil
end

-- From here to judge: the tests, in the order of rules.py.

local function misplaced(head, batch)
  local epoch, held = digits(batch.epoch), digits(head.epoch)
  if batch.epoch < head.epoch and batch.to > head.offset then
    return 'REFUSED', {'epoch_behind', epoch, digits(batch.to), held, digits(head.offset)}
  end
  if batch.epoch > head.epoch then
    if not batch.opens or batch.count == 0 then return 'REFUSED', {'epoch_unannounced', epoch, held} end
    if batch.offsets[1] ~= batch.from then
      return 'REFUSED', {'epoch_spanned', epoch, digits(batch.from), digits(batch.offsets[1])}
    end
  end
  if batch.from > head.offset + 1 then return 'GAP', {'gap', digits(batch.from), digits(head.offset)} end
  if batch.epoch > head.epoch and batch.from <= head.offset then
    return 'DIVERGED', {'epoch_late', epoch, digits(batch.from), held, digits(head.offset)}
  end
  return nil, nil
end

local function miscounted(head, batch, stream_key)
  if batch.to > head.offset then
    if batch.before > head.seq then
      return {'count', digits(batch.from - 1), digits(batch.before), digits(head.seq)}
    end
    if batch.last < head.seq then return {'count', digits(batch.to), digits(batch.last), digits(head.seq)} end
    return nil
  end
  if batch.last > head.seq then return {'count', digits(batch.to), digits(batch.last), digits(head.seq)} end
  if batch.last < head.seq then
    local following = redis.call('XRANGE', stream_key, id(batch.last + 1), '+', 'COUNT', 1)[1]
    if not whole(stored_offset(following)) or whole(stored_offset(following)) <= batch.to then
      local seq = string.match(following[1], '^%d+')
      return {'more', digits(batch.to), digits(batch.last), seq, stored_offset(following)}
    end
  end
  if batch.to == head.offset and batch.raw_hash ~= head.raw_hash then
    return {'other_log', digits(batch.to), batch.raw_hash, head.raw_hash}
  end
  return nil
end

local function different_before(head, batch, entry)
  local chain = batch.before == 0 and batch.genesis or stored_chain(entry)
  if batch.chain_before ~= chain then return {'chain', digits(batch.before), batch.chain_before, chain} end
  if entry and (not whole(stored_offset(entry)) or whole(stored_offset(entry)) >= batch.from) then
    return {'offset', digits(batch.from), digits(batch.before), stored_offset(entry)}
  end
  return nil
end

local function different_entry(batch, args, seq, entry)
  local at = FIXED + PER_ENTRY * (seq - batch.before - 1)
  local offset, chain = args[at + 1], args[at + 3]
  if stored_offset(entry) ~= offset or stored_chain(entry) ~= chain then
    return {'entry', digits(seq), offset, chain, stored_offset(entry), stored_chain(entry)}
  end
  if stored_json(entry) ~= args[at + 4] then return {'bytes', digits(seq), offset, chain} end
  return nil
end

-- Stored entries from the one before the batch to the last both have; what was trimmed counts as the same.
local function different(head, batch, args, stream, stream_key)
  if batch.before == 0 then
    local difference = different_before(head, batch, nil)
    if difference then return difference end
  end
  local seq, last = math.max(batch.before, head.oldest, 1), math.min(batch.last, head.seq)
  while seq <= last do
    local page = {stream.last}
    if seq < head.seq then
      page = redis.call('XRANGE', stream_key, id(seq), id(math.min(last, seq + PAGE - 1)))
    end
    if #page == 0 then
      return {'torn', digits(head.oldest), digits(head.seq), digits(stream.length), id(seq), 'none'}
    end
    for _, entry in ipairs(page) do
      local difference
      if seq == batch.before then
        difference = different_before(head, batch, entry)
      else
        difference = different_entry(batch, args, seq, entry)
      end
      if difference then return difference end
      seq = seq + 1
    end
  end
  local fresh = head.seq - batch.before + 1 -- the first entry that the stream lacks
  if fresh <= batch.count and batch.offsets[fresh] <= head.offset then
    return {'passed', digits(head.seq + 1), digits(batch.offsets[fresh]), digits(head.offset)}
  end
  return nil
end

local function judge(head, batch, args, stream, stream_key)
  if not head then
    if stream then return 'DIVERGED', {'headless', digits(stream.length)} end
    if batch.starts then return 'OK', nil end
    return 'EMPTY', {'no_head', digits(batch.from), digits(batch.to), digits(batch.before + 1)}
  end
  local contradiction = torn(head, stream)
  if contradiction then return 'DIVERGED', contradiction end
  if batch.generation ~= head.generation then
    return 'REFUSED', {'generation', digits(batch.generation), digits(head.generation)}
  end
  if not (head.offset == -1 and head.seq == 0 and batch.starts) then
    local status, reason = misplaced(head, batch)
    if status then return status, reason end
  end
  local difference = miscounted(head, batch, stream_key) or different(head, batch, args, stream, stream_key)
  if difference then return 'DIVERGED', difference end
  return batch.to <= head.offset and 'DUPLICATE' or 'OK', nil
end

local function denied(...)
  if redis.acl_check_cmd(...) then return nil end
  local command = {...}
  return redis.error_reply('NOPERM this user may not run ' .. command[1] .. ' on ' .. command[2])
end

-- The name of a site whose key is at i: its key is `<miner>:site:<name>`, and `<miner>:sites` is as long as the prefix.
local function site_name(keys, i) return string.sub(keys[i], #keys[3] + 1) end

local function unwritable(keys, channel, trims)
  local no = denied('XADD', keys[2], '1-0', 'offset', '0') or denied('HSET', keys[1], 'seq', '0')
    or denied('PUBLISH', channel, '') or (trims and denied('XTRIM', keys[2], 'MINID', '1-0'))
  for i = 3, #keys do
    if no then return no end
    local wanted = i == 3 and 'set' or 'hash'
    no = i == 3 and denied('SADD', keys[i], '') or i > 3 and denied('HSET', keys[i], 'json', '') or nil
    local kind = redis.call('TYPE', keys[i])['ok']
    if kind ~= 'none' and kind ~= wanted then
      return redis.error_reply('WRONGTYPE key ' .. keys[i] .. ' holds a ' .. kind .. ', a ' .. wanted .. ' belongs there')
    end
  end
  return no
end

local function append(keys, args, batch, seq, oldest)
  local appended = batch.last - seq
  for i = batch.count - appended + 1, batch.count do
    local at = FIXED + PER_ENTRY * (i - 1)
    redis.call('XADD', keys[2], args[at + 2] .. '-0',
      'offset', args[at + 1], 'chain', args[at + 3], 'json', args[at + 4])
    redis.call('PUBLISH', args[15], args[at + 4])
  end
  local kept_from = math.max(oldest, math.min(batch.trim_below, batch.last)) -- the newest entry always stays
  local at = FIXED + PER_ENTRY * (batch.count - 1)
  local chain = batch.count > 0 and args[at + 3] or batch.chain_before
  redis.call('HSET', keys[1], 'generation', args[1], 'epoch', args[2], 'offset', args[6], 'raw_hash', args[10],
    'seq', digits(batch.last), 'chain', chain, 'oldest', digits(kept_from), 'log_time_us', args[11],
    'model', args[12], 'degraded', args[13], 'unconfirmed', args[18])
  if kept_from > oldest then redis.call('XTRIM', keys[2], 'MINID', '=', id(kept_from)) end
  for i = 1, batch.sites do
    redis.call('HSET', keys[3 + i], unpack(args, batch.site_at[i][1], batch.site_at[i][2]))
    redis.call('SADD', keys[3], site_name(keys, 3 + i))
  end
  return appended
end

-- keys: head, stream, then, where there are sites, the set of them and one per site. Answers status, appended, the head's offset and seq, then the reason.
local function write(keys, args)
  local batch, wrong = parse_numbers(args)
  wrong = wrong or parse_entries(batch, args) or parse_sites(batch, keys, args)
  if wrong then return {'REFUSED', '0', '-1', '0', 'malformed', wrong} end
  local head, damage = load_head(keys[1])
  if damage then return {'DIVERGED', '0', '-1', '0', unpack(damage)} end
  local stream = load_stream(keys[2])
  local status, reason = judge(head, batch, args, stream, keys[2])
  local offset, seq, oldest = head and head.offset or -1, head and head.seq or 0, head and head.oldest or 1
  if status ~= 'OK' then
    return {status, '0', digits(offset), digits(seq), unpack(reason or {})}
  end
  local no = unwritable(keys, args[15], batch.trim_below > oldest)
  if no then return no end
  local appended = append(keys, args, batch, seq, oldest)
  return {status, digits(appended), args[6], digits(batch.last)}
end

redis.register_function('changeover_write_@VERSION@', write)
