-- Keep each value unless what is there carries the same or a higher version in its first twelve digits (design W6).
for place, key in ipairs(KEYS) do
  local offered = ARGV[place]
  local kept = redis.pcall('GET', key)
  if type(kept) ~= 'string' or (tonumber(string.sub(kept, 1, 12)) or -1) < tonumber(string.sub(offered, 1, 12)) then
    redis.call('SET', key, offered)
  end
end
return #KEYS
