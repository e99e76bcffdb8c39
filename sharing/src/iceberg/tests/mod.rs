mod changes;
mod deletes;
mod given_twice;
mod histories;
mod kernel;
mod schemas;
mod sweep;
mod versions;
