mod changes;
mod deletes;
mod schemas;
mod versions;
